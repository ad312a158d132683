"""What pods cost of their quotas: by the cards that they have, else by what they ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.model import grant as grants_of
from hami_admission.model.amounts import Amounts
from hami_admission.placement import wishes as wishes_of
from hami_admission.quota import charge
from hami_admission.wire import admitted as wire_admitted
from hami_admission.wire import keys
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hami_admission.cluster.inventory import Nodes
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
        """The cards that it has; without any, what it was admitted with, or would be today.

        Of cards that cannot be read it is the same, and what can be read where that is more.
        Nothing where another scheduler has placed it: that one counts it, or nobody.
        """
        if not self._placed_by_us(pod):
            return Amounts()
        given = self.of_grants(pod.kinds, grants) if grants else Amounts()
        if grants and not grants_of.unread(grants):
            return given
        return (admitted(pod, requests) or self.asked(pod, requests)).peak(given)

    def asked(self, pod: Pod, requests: PodRequests) -> Amounts[str]:
        """The smallest cards of today that could serve what it asks."""
        words = {request.vendor for slot in requests for request in slot}
        wishes = wishes_of.of(pod.annotations, words, self._vendors, self._settings)

        def smallest(request: Request) -> int:
            return self._nodes.smallest(request, wishes.selection(request.vendor))

        return charge.of_requests(pod.kinds, requests, self.names, smallest)

    def of_grants(self, kinds: Sequence[Kind], grants: PodGrants) -> Amounts[str]:
        """These cards for containers of these kinds."""
        return charge.of_grants(kinds, grants, self.names)

    def _placed_by_us(self, pod: Pod) -> bool:
        """Or will be; HAMi counts as we, by whatever name it was called."""
        ours = {"", *self._settings.scheduler_names}
        return pod.scheduler_name in ours or keys.ASSIGNED_NODE in pod.annotations


def varies(requests: PodRequests) -> bool:
    """Does it depend on the cards what this costs?"""
    return any(each.memory_mib is None for slot in requests for each in slot)


def admitted(pod: Pod, requests: PodRequests) -> Amounts[str] | None:
    """What the pod was charged when it was created, if that depends on cards and the pod says so.

    None as well where it says what nobody of ours has written.
    """
    text = pod.annotations.get(keys.ADMITTED_AMOUNTS)
    if text is None or not varies(requests):
        return None
    try:
        return wire_admitted.decode(text)
    except Malformed:
        return None
