"""Hygon DCU: parts of one card, or several cards, by a device plugin that lists them.

Facts/devices.md 9.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from hami_admission.options import Family
from hami_admission.vendors.plain import plain
from hami_admission.vendors.vendor import About
from hami_admission.wire import keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hami_admission.model.pod import Container
    from hami_admission.options import HygonOptions
    from hami_admission.vendors.vendor import Reading, Vendor


def hygon(options: HygonOptions) -> Vendor:
    """The value of the family, under the resource names that the options give."""
    made = plain(
        Family(
            word="DCU",
            resource_count_name=options.resource_count_name,
            resource_memory_name=options.resource_memory_name,
            resource_core_name=options.resource_core_name,
            memory_factor=options.memory_factor,
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
    return dataclasses.replace(
        made,
        about=About(
            "Hygon",
            "memory and cores of one card; several cards are given without limits",
            "HAMi's dcu-vgpu-device-plugin",
        ),
        parse=partial(_parse, made),
    )


def _parse(made: Vendor, container: Container, annotations: Mapping[str, str]) -> Reading:
    """What is asked; the device plugin limits a container on one card alone."""
    reading = made.parse(container, annotations)
    request = reading.request
    if request is None or request.count == 1:
        return reading
    if request.memory_mib is None and request.cores == made.names.whole_cores:
        return reading
    warning = (
        f"{container.path}: {made.names.count}: parts of several cards are asked, and the device"
        " plugin gives several without limits; ask for whole cards, or for one"
    )
    return msgspec.structs.replace(reading, warnings=(*reading.warnings, warning))
