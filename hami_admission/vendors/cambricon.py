"""Cambricon MLU: a part of one card, made when its pod starts (dynamic sMLU).

Facts/devices.md 10. What the pod has stands in one annotation, which has room for one card of one
container: more is refused, where upstream gives out what nobody makes (there, 19, C1).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from hami_admission.model.node import Handover
from hami_admission.vendors import refine
from hami_admission.vendors.plain import Cards, described, plain
from hami_admission.vendors.vendor import About
from hami_admission.wire import keys

if TYPE_CHECKING:
    from hami_admission.options import CambriconOptions
    from hami_admission.vendors.vendor import Assigned, Reading, Vendor

WORD = "MLU"


def cambricon(options: CambriconOptions) -> Vendor:
    """The value of the family, under the resource names that the options give."""
    made = plain(
        described(
            options,
            word=WORD,
            memory_factor=256,
            default_cores=100,
            to_allocate=keys.CAMBRICON_TO_ALLOCATE,
            allocated=keys.CAMBRICON_ALLOCATED,
            use_uuid=keys.CAMBRICON_USE_UUID,
            no_use_uuid=keys.CAMBRICON_NOUSE_UUID,
        ),
        cards=Cards(
            totals=True,
            ids="cambricon-mlu",
            handover=Handover(keys.CAMBRICON_LOCK, patience=120, nameless=True),
        ),
    )
    return replace(
        made,
        about=About("Cambricon", "a part of one card, which the plugin makes", "Cambricon's"),
        parse=refine.then(made.parse, made.names, _single),
        annotate=partial(_annotate, made),
        single=True,
    )


def _single(asked: refine.Asked) -> Reading:
    if asked.request.count == 1:
        return asked.reading
    advice = "the device plugin gives a pod a part of one card; ask for 1, or use several pods"
    return refine.refused(asked.wrong(asked.names.count, advice))


def _annotate(made: Vendor, assigned: Assigned) -> dict[str, str]:
    """The pair, and the profile from which Cambricon's plugin makes the part.

    HAMi has corrected the spelling of the other key; the plugin that is published has not.
    """
    found = made.annotate(assigned)
    grant = next(grant for slot in assigned.grants for grant in slot)
    index = assigned.devices[grant.uuid].index
    profile = f"{index}_{grant.cores}_{grant.memory_mib // made.names.unit_mib}"
    waiting = dict.fromkeys((keys.CAMBRICON_ASSIGNED, keys.CAMBRICON_ASSIGHED), "false")
    return {**found, **waiting, keys.CAMBRICON_PROFILE: profile}
