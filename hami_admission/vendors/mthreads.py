"""Moore Threads: parts of one card in sizes that it has, or whole cards.

Facts/devices.md 12. All containers of a pod use the cards of the first that has some, be they one
or several (upstream refuses the others then; there, 19, M2).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from hami_admission.vendors import checks, holdings, parse, refine
from hami_admission.vendors.plain import Cards, described, plain
from hami_admission.vendors.vendor import About
from hami_admission.wire import keys

if TYPE_CHECKING:
    from hami_admission.options import MthreadsOptions
    from hami_admission.vendors.vendor import Assigned, Reading, Vendor

WORD = "Mthreads"

SIZES = (2, 4, 8, 16, 32, 64, 96)
"""Memory of a part in units of 512 MiB; the last is the whole card."""


def mthreads(options: MthreadsOptions) -> Vendor:
    """The value of the family, under the resource names that the options give."""
    made = plain(
        described(
            options,
            word=WORD,
            memory_factor=512,
            whole_cores=16,
            to_allocate=keys.MTHREADS_ALLOCATED,
            allocated=keys.MTHREADS_ALLOCATED,
            use_uuid=keys.MTHREADS_USE_UUID,
            no_use_uuid=keys.MTHREADS_NOUSE_UUID,
            lock="none",
        ),
        cards=Cards(totals=True, ids="mthreads"),
    )
    names = made.names
    whole = {names.cores: names.whole_cores, names.memory: SIZES[-1]}
    amounts = parse.whole_cards(made.parse, names, whole, unless=names.memory)
    return replace(
        made,
        about=About("Moore Threads", "parts in 7 sizes, or whole cards", "Moore Threads'"),
        parse=refine.then(amounts, names, _sized),
        checks=(*checks.COMMON, checks.same),
        same_cards=True,
        annotate=partial(_annotate, made),
    )


def _sized(asked: refine.Asked) -> Reading:
    """A part in one of the sizes, or whole cards, whose number stands on the pod as well."""
    request, unit = asked.request, asked.names.unit_mib
    if (request.memory_mib or 0) // unit not in SIZES:
        advice = f"must be one of {', '.join(map(str, SIZES))}, in units of {unit} MiB"
        return refine.refused(asked.wrong(asked.names.memory, advice))
    notes = {keys.MTHREADS_COUNT: str(request.count)} if request.count > 1 else {}
    return msgspec.structs.replace(asked.reading, notes=notes)


def _annotate(made: Vendor, assigned: Assigned) -> dict[str, str]:
    """The record, and what Moore Threads' plugin reads: the cards of the last container."""
    return {
        **made.annotate(assigned),
        keys.MTHREADS_INDEX: holdings.last_indices(assigned),
        keys.MTHREADS_TIME: str(int(assigned.now * 1_000_000_000)),
        keys.MTHREADS_NODE: assigned.node,
    }
