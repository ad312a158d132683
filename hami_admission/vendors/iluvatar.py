"""Iluvatar: a family for each chip, alike but for their names.

Facts/devices.md 11.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.pod import EnvVar
from hami_admission.options import Family
from hami_admission.vendors import parse
from hami_admission.vendors.plain import plain
from hami_admission.vendors.vendor import About
from hami_admission.wire import keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hami_admission.model.pod import Container
    from hami_admission.options import IluvatarChip
    from hami_admission.vendors.vendor import Parse, Reading, Vendor


def iluvatar(options: tuple[IluvatarChip, ...]) -> tuple[Vendor, ...]:
    """The values of the family, one by chip."""
    return tuple(map(_chip, options))


def _chip(chip: IluvatarChip) -> Vendor:
    word = chip.common_word
    made = plain(
        Family(
            word=word,
            resource_count_name=chip.resource_count_name,
            resource_memory_name=chip.resource_memory_name,
            resource_core_name=chip.resource_core_name,
            memory_factor=256,
            handshake=f"hami.io/node-handshake-{word}",
            use_uuid=f"hami.io/use-{word}-uuid",
            no_use_uuid=f"hami.io/no-use-{word}-uuid",
        )
    )
    names = made.names
    amounts = parse.whole_cards(made.parse, names, {names.cores: names.whole_cores})
    about = About("Iluvatar", "memory and cores; several cards whole", "Iluvatar's")
    return replace(made, about=about, parse=_named(amounts))


def _named(amounts: Parse) -> Parse:
    """What is asked, and the container's name, unless it has one by itself."""

    def parsed(container: Container, annotations: Mapping[str, str]) -> Reading:
        reading = amounts(container, annotations)
        present = any(env.name == keys.ILUVATAR_CONTAINER for env in container.env or ())
        if reading.request is None or present:
            return reading
        name = EnvVar(keys.ILUVATAR_CONTAINER, container.name)
        return msgspec.structs.replace(reading, env=(name,))

    return parsed
