"""Writes docs/vendors.md from the values of all families; annotations by really placing pods.

``python -m tests.architecture.vendors_table`` after a change of one.
"""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from hami_admission.model.device import Device, Profile
from hami_admission.settings import Settings
from hami_admission.vendors import table
from hami_admission.vendors.vendor import Vendor, never
from hami_admission.wire import bindings, details, keys, registers
from hami_admission.wire.errors import Malformed
from tests.vendors import family

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hami_admission.model.node import Handover
    from hami_admission.wire.nodes import NodeFacts

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "vendors.md"

CUT = Profile("1g", 4096, 14, 1, ((0, 1),))
CARDS = registers.encode((
    Device("card-0", 0, "X", 8, 65536, 100, mode="mig", profiles=(CUT,), units=8),
    Device("card-1", 1, "X", 8, 65536, 100),
))
NOTES = {
    "metax-tech.com/node-gpu-devices": (
        '[{"uuid":"card-0","totalDevCount":8,"totalCompute":100,"totalVRam":65536,"healthy":true}]'
    ),
    "enflame.com/gcu-drs-capacity": (
        '{"devices":[{"index":"0","minor":"0","capacity":6}],"profiles":{"1g.6gb":"0"}}'
    ),
    "volcano.sh/node-vgpu-register": "card-0,10,65536,X,true,hami-core:",
}
"""What stands in the registers that have a form of their own; ``CARDS`` in all others."""

SAID = {keys.NVIDIA_HANDSHAKE: "Reported 2026.01.01 00:00:00"}
"""What a node has where HAMi's plugin serves NVIDIA cards."""

AMOUNTS = {"count": 2, "memory": 4096, "cores": 64}
"""What the sample node has, by the field of the names; of the families that go by capacity."""

HEAD = """# Vendors

Written by `python -m tests.architecture.vendors_table` from the values of the families in\
 `hami_admission/vendors/`; edit those.

Cards of {makers} makers. What an annotation means is in [annotations](annotations.md). A\
 container asks for cards under `resources.limits`; the names here are the defaults, all of them\
 are settings: section `devices` of the chart's values, with the keys of HAMi's\
 `device-config.yaml`. Another family needs no code: [adding a vendor](adding-a-vendor.md).

What holds for all: quotas count per card × cards ([quotas](quotas.md)). Users may also write the\
 annotations of [placement](placement.md): which node, which cards, what counts how much. The\
 Binding brings `hami.io/vgpu-node`, `hami.io/vgpu-time`, `hami.io/bind-time` and\
 `hami.io/bind-phase` for every family, and `hami.io/card-details.<word>` where cards are given\
 out for more than memory and cores.

## What is tested, and how

| What | How | Where |
| --- | --- | --- |
| what a container asks, which cards it gets, what stands on the pod | tables with a line for each\
 rule; formats are HAMi's 2.10 | the file in the family's section |
| amounts add up, encodings round-trip, what fits is free, what is kept is fresh | properties, of\
 every family | `tests/vendors/test_every_family.py` |
| pods of several families, in one pod and in one container | each gives what it gives alone |\
 `tests/vendors/test_mixed_families.py` |
| handing pods to a device plugin of others under a lock | a stand-in for each of them, which\
 keeps to the protocol, on a real control plane: pods of all families at once; 20 pods of one node;\
 a plugin that dies | `tests/cluster/test_families.py`, `tests/cluster/test_handover.py` |
| our agent, for NVIDIA cards | a real kubelet, with a driver that a script plays |\
 `tests/cluster/test_agent.py` |
| real cards, and the makers' device plugins | **never, for any family** | – |

## All
"""


SELDOM = ("Admission adds",)
"""Rows that are left out where there is nothing to say."""


def families() -> table.Vendors:
    """Those that are there by default."""
    return table.build(Settings())


def facts(vendor: Vendor, *, said: bool = False, without: str = "") -> NodeFacts:
    """A node with cards of the family; ``without`` that much of its capacity."""
    notes = dict(SAID) if said else {}
    if vendor.register:
        notes[vendor.register] = NOTES.get(vendor.register, CARDS)
    names = vendor.names
    amounts = {getattr(names, field): amount for field, amount in AMOUNTS.items()}
    capacity = {name: n for name, n in amounts.items() if name and name != without}
    labels = {keys.INSTANCE_TYPE_LABEL: "trn1.2xlarge"}
    return family.node(notes, capacity, labels)


def placed(vendor: Vendor) -> list[dict[str, str]]:
    """The annotations of Bindings, of pods that ask in different ways."""
    cards, names = family.cards(vendor, facts(vendor)), vendor.names
    ways = [{name: 1} for name in names.asking] + [dict.fromkeys(names.counted, 1)]
    found = (family.place(vendor, cards, limits) for limits in ways)
    return [each[1] for each in found if not isinstance(each, str)]


def admitted(vendor: Vendor) -> list[str]:
    """The annotations that admission adds for this family to pods with one card or two."""
    readings = (family.read(vendor, {vendor.names.count: count}) for count in (1, 2))
    found = _once(chain.from_iterable(each.notes for each in readings))
    return [each for each in found if not each.startswith(keys.ADMITTED_PREFIX)]


def brought(vendor: Vendor) -> list[str]:
    """Names of the annotations that a Binding brings for this family and not for all."""
    common = bindings.notes("n", 1.0).keys()
    found = _once(chain.from_iterable(placed(vendor)))
    own = [each for each in found if each not in common and not each.startswith(keys.ENV_PREFIX)]
    return [each for each in own if each != details.annotation(vendor.word)]


def table_of(vendor: Vendor) -> str:
    """The table of the file in which the family's title stands."""
    title = re.compile(rf'About(\(|, )\s*"{re.escape(vendor.about.title)}"')
    sources = (ROOT / "hami_admission" / "vendors").glob("*.py")
    (own,) = [path.stem for path in sources if title.search(path.read_text())]
    return f"tests/vendors/test_{own}.py"


def _once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"


def _size(mib: int) -> str:
    return {1: "MiB", 1024: "GiB"}.get(mib, f"units of {mib} MiB")


def _asked(vendor: Vendor) -> Iterator[str]:
    """Each resource with its unit."""
    names, about = vendor.names, vendor.about
    count = "slices of one card" if names.places else "cards"
    whole = "percent" if names.whole_cores == 100 else f"{names.whole_cores}ths of a card"
    units = (
        (names.count, count),
        (names.memory, about.memory or f"memory of each, in {_size(names.unit_mib)}"),
        (names.percent, "memory of each, in percent"),
        (names.cores, about.cores or f"cores of each, in {whole}"),
        (names.priority, "0 or 1: who goes first"),
    )
    return (f"`{name}`: {unit}" for name, unit in units if name)


def _counted(vendor: Vendor) -> str:
    return _quoted(f"limits.{name}" for name in vendor.names.counted)


def _together(vendor: Vendor) -> str:
    """Which cards go together; and what containers of a pod have to do with one another."""
    parts = [vendor.about.topology] if vendor.about.topology else []
    if vendor.choosy is not never:
        always = vendor.choosy(2, family.BINPACK)
        parts.append("else the node does not fit" + ("" if always else ", if the pod says so"))
    if vendor.score is not None:
        parts.append("nodes are scored by it")
    if vendor.same_cards:
        parts.append("all containers of a pod have the cards of the first that has some")
    if vendor.single:
        parts.append("one container of a pod alone may have a card")
    return "; ".join(parts) or "any, by policy"


def _known(vendor: Vendor) -> str:
    """What the node says of its cards."""
    if vendor.register:
        return f"annotation `{vendor.register}` of the node"
    there = _found(vendor)
    needed = [name for name in vendor.names.counted if _found(vendor, name) != there]
    return f"the node's capacity of {_quoted(needed)}; cards are alike"


def _found(vendor: Vendor, without: str = "") -> tuple[Device, ...]:
    try:
        return vendor.inventory(facts(vendor, without=without)).devices
    except Malformed:
        return ()


def _handed(vendor: Vendor) -> str:
    """How pods are handed to the plugin, on a node without and with word of HAMi's."""
    ours, theirs = (vendor.inventory(facts(vendor, said=said)).handover for said in (False, True))
    if ours == theirs:
        return _lock(ours)
    return f"{_lock(ours)}; on nodes with `{keys.NVIDIA_HANDSHAKE}`: {_lock(theirs)}"


def _lock(handover: Handover | None) -> str:
    if handover is None:
        return "not at all: it is done once it is bound"
    if not handover.lock:
        return "without a lock, any number at a time"
    nameless = ", which does not name the pod" if handover.nameless else ""
    return f"one at a time, under the node's lock `{handover.lock}`{nameless}"


def rows(vendor: Vendor) -> dict[str, str]:
    """Everything there is to say of one value."""
    about = vendor.about
    return {
        "Asked by": "<br>".join(_asked(vendor)),
        "Quotas count": _counted(vendor),
        "A container has": about.sharing,
        "Several cards": _together(vendor),
        "Users may write": _quoted(_once((*vendor.keys.all, *vendor.reads))),
        "Admission adds": _quoted(admitted(vendor)),
        "The Binding brings": _quoted(brought(vendor)),
        "Cards are known from": _known(vendor),
        "Device plugin": about.plugin,
        "Pods are handed to it": _handed(vendor),
    }


def _section(title: str, vendors: list[Vendor]) -> list[str]:
    """A column for each value; chips have one, where ``<chip>`` is the word of any of them."""
    words = [f"`{vendor.word}`" for vendor in vendors]
    chips = len(vendors) > 2
    cells = [rows(vendor) for vendor in vendors]
    if chips:
        words, cells = [", ".join(words)], [_alike(vendors)]
    lines = [
        f"## {title}",
        "",
        f"Rules: `{table_of(vendors[0])}`.{' `<chip>` is the word of a chip.' if chips else ''}",
        "",
        f"| | {' | '.join(words)} |",
        f"| --- |{' --- |' * len(words)}",
    ]
    for name in cells[0]:
        row = [each[name] for each in cells]
        if name not in SELDOM or set(row) != {"–"}:
            lines.append(f"| {name} | {' | '.join(row)} |")
    return [*lines, ""]


def _alike(vendors: list[Vendor]) -> dict[str, str]:
    """What chips have in common; and what not, with the words of those that have it."""
    found: dict[str, dict[str, list[str]]] = {}
    for vendor in vendors:
        for name, cell in rows(vendor).items():
            form = cell.replace(vendor.word, "<chip>")
            found.setdefault(name, {}).setdefault(form, []).append(vendor.word)
    return {
        name: next(iter(forms))
        if len(forms) == 1
        else "<br>".join(f"{_quoted(words)}: {form}" for form, words in forms.items())
        for name, forms in found.items()
    }


def written() -> str:
    """The document."""
    sections: dict[str, list[Vendor]] = {}
    for vendor in families():
        sections.setdefault(vendor.about.title, []).append(vendor)
    makers = len([title for title in sections if "Volcano" not in title])
    lines = [*HEAD.format(makers=makers).splitlines(), ""]
    lines += ["| Cards | Words | A container has | Several cards |", "| --- | --- | --- | --- |"]
    for title, vendors in sections.items():
        anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        words = _quoted(vendor.word for vendor in vendors)
        sharing = _once(vendor.about.sharing for vendor in vendors)
        together = _once(vendor.about.topology or "any" for vendor in vendors)
        cells = (f"[{title}](#{anchor})", words, "; ".join(sharing), "; ".join(together))
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    for title, vendors in sections.items():
        lines += _section(title, vendors)
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(written())
