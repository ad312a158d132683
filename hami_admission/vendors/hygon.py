"""Hygon DCU (facts/devices.md 9): parts of one card, or several cards, as its plugin lists them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from hami_admission.vendors import refine
from hami_admission.vendors.plain import described, plain
from hami_admission.vendors.vendor import About
from hami_admission.wire import keys

if TYPE_CHECKING:
    from hami_admission.options import HygonOptions
    from hami_admission.vendors.vendor import Reading, Vendor


def hygon(options: HygonOptions) -> Vendor:
    """The value of the family, under the resource names that the options give."""
    made = plain(
        described(
            options,
            word="DCU",
            default_cores=100,
            register=keys.HYGON_REGISTER,
            handshake=keys.HYGON_HANDSHAKE,
            to_allocate=keys.HYGON_TO_ALLOCATE,
            allocated=keys.HYGON_ALLOCATED,
            use_type=keys.HYGON_USE_TYPE,
            no_use_type=keys.HYGON_NOUSE_TYPE,
            use_uuid=keys.HYGON_USE_UUID,
            no_use_uuid=keys.HYGON_NOUSE_UUID,
        )
    )
    return replace(
        made,
        about=About(
            "Hygon",
            "memory and cores of one card; several cards are given without limits",
            "HAMi's dcu-vgpu-device-plugin",
        ),
        parse=refine.then(made.parse, made.names, _warned),
    )


def _warned(asked: refine.Asked) -> Reading:
    """What is asked; the device plugin limits a container on one card alone."""
    names, reading, request = asked.names, asked.reading, asked.request
    whole = request.memory_mib is None and request.cores == names.whole_cores
    if whole or request.count == 1:
        return reading
    warning = (
        f"{asked.container.path}: {names.count}: parts of several cards are asked, and the device"
        " plugin gives several without limits; ask for whole cards, or for one"
    )
    return msgspec.structs.replace(reading, warnings=(*reading.warnings, warning))
