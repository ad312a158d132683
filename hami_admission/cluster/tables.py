"""Answers that are kept: for each demand, per node whether it fits; only changes are computed.

Pods of one workload ask alike, and between two questions few nodes have changed. A table holds no
cards: for the one node that is taken they are found again, which is the check at the booking.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING

from hami_admission.model.verdict import Unfit
from hami_admission.placement import place
from hami_admission.placement import pod as pods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hami_admission.cluster.inventory import Nodes
    from hami_admission.model.amounts import Amounts
    from hami_admission.model.grant import PodGrants
    from hami_admission.placement.place import Rank
    from hami_admission.placement.pod import Allows, Demand
    from hami_admission.placement.usage import NodeUsage
    from hami_admission.vendors.table import Vendors

    Price = Callable[[PodGrants], Amounts[str]]

LOG = 65_536
"""Changes that are remembered; a table that is further behind begins anew."""

MAX_ENTRIES = 200_000
"""Nodes × tables that are kept: some 200 bytes each."""

MAX_TABLES = 256


class Changes:
    """Which nodes changed, in order; readers remember how far they have read."""

    def __init__(self) -> None:
        self._log: deque[str] = deque(maxlen=LOG)
        self.count = 0

    def note(self, name: str) -> None:
        """That node is not as it was."""
        self._log.append(name)
        self.count += 1

    def since(self, count: int) -> Iterable[str] | None:
        """The nodes that changed after ``count`` changes; None when that is forgotten."""
        behind = self.count - count
        if behind > len(self._log):
            return None
        return [self._log[-n] for n in range(1, behind + 1)]


class Table:
    """The answers for one demand. ``fits`` and ``unfit`` hold the nodes that have cards."""

    def __init__(
        self, demand: Demand, vendors: Vendors, price: Price, allows: Allows | None
    ) -> None:
        self.demand = demand
        self.fits: dict[str, Rank] = {}
        self.unfit: dict[str, str] = {}
        self._vendors = vendors
        self._price = price
        self._allows = allows
        self._prices: dict[object, Amounts[str]] = {}
        self._texts: dict[str, str] = {}
        self._pending: dict[str, None] = {}
        self._seen: int | None = None

    def work(self, nodes: Mapping[str, NodeUsage], changes: Changes, at_most: int | None) -> int:
        """Compute what changed, at most so many nodes (None: all); gives how many it did."""
        self._catch_up(nodes, changes)
        if not self._pending:
            return 0
        names = list(self._pending)[:at_most]
        for name in names:
            del self._pending[name]
            self._one(name, nodes.get(name))
        return len(names)

    @property
    def pending(self) -> int:
        """Nodes that have to be computed, as far as was looked."""
        return len(self._pending)

    def prices(self) -> Iterable[Amounts[str]]:
        """What the placements cost, where that depends on the cards; more than that at times."""
        return self._prices.values()

    def _catch_up(self, nodes: Mapping[str, NodeUsage], changes: Changes) -> None:
        changed = None if self._seen is None else changes.since(self._seen)
        self._seen = changes.count
        if changed is None:
            self._pending.update(dict.fromkeys([*self.fits, *self.unfit, *nodes]))
        else:
            self._pending.update(dict.fromkeys(changed))

    def _one(self, name: str, node: NodeUsage | None) -> None:
        self.fits.pop(name, None)
        self.unfit.pop(name, None)
        if node is None:
            return
        if self._allows is None:
            found = pods.possible(self.demand, node.cards, self._vendors)
        else:
            found = pods.on_node(self.demand, node.cards, self._vendors, self._allows)
        if isinstance(found, Unfit):
            text = str(found)
            self.unfit[name] = self._texts.setdefault(text, text)
            return
        own = pods.own_score(self.demand, node.cards, self._vendors, found)
        self.fits[name] = place.rank(name, node.score, self.demand.wishes.node_policy, own)
        if self.demand.varies(found):
            sizes = tuple(tuple((g.vendor, g.memory_mib, g.cores) for g in slot) for slot in found)
            if sizes not in self._prices:
                self._prices[sizes] = self._price(found)


class Tables:
    """The tables that were asked for last, by demand and by what a quota leaves.

    ``asked`` and ``computed`` count nodes: those that questions were about, and those of them whose
    answer was not kept.
    """

    def __init__(self, vendors: Vendors) -> None:
        self._vendors = vendors
        self._kept: OrderedDict[object, Table] = OrderedDict()
        self.asked = 0
        self.computed = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(
        self,
        demand: Demand,
        price: Price,
        allows: Allows | None,
        key: object,
        nodes: Nodes,
        at_most: int | None,
    ) -> Table:
        """The table of that demand under that key, brought up to date by so many nodes at most."""
        found = self._kept.get((demand, key))
        if found is None:
            found = self._kept[demand, key] = Table(demand, self._vendors, price, allows)
            while len(self._kept) > max(min(MAX_TABLES, MAX_ENTRIES // (len(nodes.usage) + 1)), 2):
                self._kept.popitem(last=False)
        self._kept.move_to_end((demand, key))
        self.computed += found.work(nodes.usage, nodes.changes, at_most)
        return found

    def peek(self, demand: Demand) -> Table | None:
        """The table of that demand as it is, if it is kept."""
        return self._kept.get((demand, ()))
