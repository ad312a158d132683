"""Moore Threads: parts of one card in sizes that it has, or whole cards.

Facts/devices.md 12. All containers of a pod use the cards of the first that has some, be they one
or several (upstream refuses the others then; there, 19, M2).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.node import Handover
from hami_admission.model.verdict import Objection
from hami_admission.options import CardSize, Family
from hami_admission.vendors import parse
from hami_admission.vendors.checks import COMMON, same
from hami_admission.vendors.inventory import in_total
from hami_admission.vendors.plain import plain
from hami_admission.vendors.vendor import About, Reading, Vendor
from hami_admission.wire import keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hami_admission.model.names import ResourceNames
    from hami_admission.model.pod import Container
    from hami_admission.options import MthreadsOptions
    from hami_admission.vendors.vendor import Assigned, Parse

WORD = "Mthreads"

SIZES = (2, 4, 8, 16, 32, 64, 96)
"""Memory of a part in units of 512 MiB; the last is the whole card."""


def mthreads(options: MthreadsOptions) -> Vendor:
    """The value of the family, under the resource names that the options give."""
    made = plain(
        Family(
            word=WORD,
            resource_count_name=options.resource_count_name,
            resource_memory_name=options.resource_memory_name,
            resource_core_name=options.resource_core_name,
            memory_factor=512,
            whole_cores=16,
            card=CardSize(),
            to_allocate=keys.MTHREADS_ALLOCATED,
            allocated=keys.MTHREADS_ALLOCATED,
            use_uuid=keys.MTHREADS_USE_UUID,
            no_use_uuid=keys.MTHREADS_NOUSE_UUID,
            lock="none",
        )
    )
    names = made.names
    whole = {names.cores: names.whole_cores, names.memory: SIZES[-1]}
    amounts = parse.whole_cards(made.parse, names, whole, unless=names.memory)
    return replace(
        made,
        about=About("Moore Threads", "parts in 7 sizes, or whole cards", "Moore Threads'"),
        parse=partial(_parse, amounts, names),
        inventory=partial(in_total, names=names, word=WORD, ids="mthreads", handover=Handover()),
        checks=(*COMMON, same),
        same_cards=True,
        annotate=partial(_annotate, made),
    )


def _parse(
    amounts: Parse, names: ResourceNames, container: Container, annotations: Mapping[str, str]
) -> Reading:
    """A part in one of the sizes, or whole cards, whose number stands on the pod as well."""
    reading = amounts(container, annotations)
    request = reading.request
    if request is None:
        return reading
    size = (request.memory_mib or 0) // names.unit_mib
    if size not in SIZES:
        advice = f"must be one of {', '.join(map(str, SIZES))}, in units of {names.unit_mib} MiB"
        where = f"{container.path}.resources.limits[{names.memory}]"
        return Reading(objections=(Objection(where, str(size), advice),))
    notes = {keys.MTHREADS_COUNT: str(request.count)} if request.count > 1 else {}
    return msgspec.structs.replace(reading, notes=notes)


def _annotate(made: Vendor, assigned: Assigned) -> dict[str, str]:
    """The record, and what Moore Threads' plugin reads: the cards of the last container."""
    last = next(filter(None, reversed(assigned.grants)), ())
    indices = (assigned.devices[grant.uuid].index for grant in last)
    return {
        **made.annotate(assigned),
        keys.MTHREADS_INDEX: ",".join(map(str, indices)),
        keys.MTHREADS_TIME: str(int(assigned.now * 1_000_000_000)),
        keys.MTHREADS_NODE: assigned.node,
    }
