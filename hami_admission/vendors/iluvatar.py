"""Iluvatar (facts/devices.md 11): a family for each chip, alike but for their names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.pod import EnvVar
from hami_admission.vendors import parse, refine
from hami_admission.vendors.plain import described, plain
from hami_admission.vendors.vendor import About
from hami_admission.wire import keys

if TYPE_CHECKING:
    from hami_admission.options import IluvatarChip
    from hami_admission.vendors.vendor import Reading, Vendor


def iluvatar(options: tuple[IluvatarChip, ...]) -> tuple[Vendor, ...]:
    """The values of the family, one by chip."""
    return tuple(map(_chip, options))


def _chip(chip: IluvatarChip) -> Vendor:
    word = chip.common_word
    made = plain(
        described(
            chip,
            word=word,
            memory_factor=256,
            handshake=f"hami.io/node-handshake-{word}",
            use_uuid=f"hami.io/use-{word}-uuid",
            no_use_uuid=f"hami.io/no-use-{word}-uuid",
        )
    )
    names = made.names
    amounts = parse.whole_cards(made.parse, names, {names.cores: names.whole_cores})
    about = About("Iluvatar", "memory and cores; several cards whole", "Iluvatar's")
    return replace(made, about=about, parse=refine.then(amounts, names, _named))


def _named(asked: refine.Asked) -> Reading:
    """With the container's name, unless it has one by itself."""
    container = asked.container
    if any(env.name == keys.ILUVATAR_CONTAINER for env in container.env or ()):
        return asked.reading
    name = EnvVar(keys.ILUVATAR_CONTAINER, container.name)
    return msgspec.structs.replace(asked.reading, env=(name,))
