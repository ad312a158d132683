"""What pods cost of their quotas: by the cards that they have, else by what they ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.placement import wishes as wishes_of
from hami_admission.quota import charge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hami_admission.cluster.inventory import Nodes
    from hami_admission.model.amounts import Amounts
    from hami_admission.model.grant import PodGrants
    from hami_admission.model.pod import Kind, Pod
    from hami_admission.model.request import Request
    from hami_admission.settings import Settings
    from hami_admission.vendors.table import PodRequests, Vendors


class Prices:
    """Amounts are by resource name."""

    def __init__(self, vendors: Vendors, nodes: Nodes, settings: Settings) -> None:
        self._vendors = vendors
        self._nodes = nodes
        self._settings = settings
        self.names = {vendor.word: vendor.names for vendor in vendors}

    def of_pod(self, pod: Pod, requests: PodRequests, grants: PodGrants) -> Amounts[str]:
        """The cards that it has; without any, the smallest that could serve what it asks."""
        if grants:
            return self.of_grants(pod.kinds, grants)
        words = {request.vendor for slot in requests for request in slot}
        wishes = wishes_of.of(pod.annotations, words, self._vendors, self._settings)

        def smallest(request: Request) -> int:
            return self._nodes.smallest(request, wishes.selection(request.vendor))

        return charge.of_requests(pod.kinds, requests, self.names, smallest)

    def of_grants(self, kinds: Sequence[Kind], grants: PodGrants) -> Amounts[str]:
        """These cards for containers of these kinds."""
        return charge.of_grants(kinds, grants, self.names)
