"""What a pod holds, as annotations in upstream's form: the common pair of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.wire import grants

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hami_admission.model.grant import PodGrants
    from hami_admission.vendors.vendor import Assigned


def standard(assigned: Assigned, *, to_allocate: str, allocated: str) -> dict[str, str]:
    """The grants under both keys (facts/scheduling.md 11.1)."""
    return dict.fromkeys((to_allocate, allocated), grants.encode(assigned.grants))


def recalled(annotations: Mapping[str, str], *, allocated: str) -> PodGrants:
    """The grants by slot; raises Malformed."""
    return grants.decode(annotations.get(allocated, ""))
