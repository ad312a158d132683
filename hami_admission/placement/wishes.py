"""Pod annotations to Wishes; a value that cannot be read means the cluster's default.

Admission refuses such values; what is left of them are pods that were created past it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from hami_admission.model.wishes import ANY, EVEN, Selection, Topology, Wishes
from hami_admission.vendors import table
from hami_admission.wire import keys
from hami_admission.wire import wishes as wire
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hami_admission.settings import Settings
    from hami_admission.vendors.vendor import Vendor

T = TypeVar("T")


def of(
    annotations: dict[str, str], words: Iterable[str], vendors: table.Vendors, settings: Settings
) -> Wishes:
    """The wishes of a pod for the families that it asks."""
    node_default: str = settings.node_scheduler_policy
    policy = _or(wire.card_policy, annotations, keys.CARD_POLICY, None)
    tokens = policy or wire.card_policy(settings.gpu_scheduler_policy)
    asked = [table.by_word(vendors, word) for word in words]
    idle = wire.ALONE in tokens
    return Wishes(
        node_policy=_or(wire.node_policy, annotations, keys.NODE_POLICY, node_default),
        card_order=tuple(token for token in tokens if token in wire.SORT_KEYS) or ("spread",),
        selections=tuple((each.word, _selection(each, annotations, idle)) for each in asked),
        weights=_or(wire.weights, annotations, keys.WEIGHTS, EVEN),
        numa_bind=any(_or(wire.flag, annotations, each.keys.numa_bind, False) for each in asked),
        topology=_or(
            wire.topology,
            annotations,
            keys.TOPOLOGY,
            Topology.PREFERRED if wire.LINKED in tokens else Topology.IGNORED,
        ),
    )


def _or(read: Callable[[str], T], annotations: dict[str, str], name: str, default: T) -> T:
    text = annotations.get(name)
    if text is None:
        return default
    try:
        return read(text)
    except Malformed:
        return default


def _selection(vendor: Vendor, annotations: dict[str, str], idle: bool) -> Selection:
    """The pod's lists of one family; ANY when it has none."""
    own = vendor.keys
    if not idle and annotations.keys().isdisjoint(own.all):
        return ANY
    types = _wanted(annotations, own.use_type)
    uuids = [_wanted(annotations, name) for name in (own.use_uuid, own.older_use_uuid)]
    wanted = [frozenset(each) for each in uuids if each is not None]
    not_types = wire.members(annotations.get(own.nouse_type, ""))
    return Selection(
        types=None if types is None else tuple(part.lower() for part in types),
        not_types=tuple(part.lower() for part in not_types),
        uuids=frozenset.intersection(*wanted) if wanted else None,
        not_uuids=frozenset(
            each
            for name in (own.nouse_uuid, own.older_nouse_uuid)
            for each in wire.members(annotations.get(name, ""))
        ),
        modes=_or(wire.modes, annotations, own.mode, None),
        idle=idle,
    )


def _wanted(annotations: dict[str, str], name: str) -> tuple[str, ...] | None:
    """A list of commas alone wants what there is not."""
    text = annotations.get(name, "")
    return wire.members(text) if text.strip() else None
