"""The device ids under which a card is offered to the kubelet, several for each card."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

SEPARATOR = "::"
"""Between the card and the number of its share, as NVIDIA's own plugin has it for shared cards: so
DCGM's exporter finds the card of an id. HAMi's end in ``-<n>``, which a uuid may do as well."""


def of_card(uuid: str, shares: int) -> list[str]:
    """``GPU-a::0`` to ``GPU-a::9``; at most 63 characters, as the protocol wants it."""
    return [f"{uuid}{SEPARATOR}{share}" for share in range(shares)]


def card(device: str) -> str:
    """The uuid of a device id; of one that is not ours, the id itself."""
    return device.rpartition(SEPARATOR)[0] or device


def cards(devices: Iterable[str]) -> list[str]:
    """The uuids of some device ids, each once, in their order."""
    return list(dict.fromkeys(map(card, devices)))


def preferred(
    available: Sequence[str], must: Sequence[str], size: int, wanted: Collection[str]
) -> list[str]:
    """``size`` ids: those that must be, one of each wanted card, then of as many others as can be.

    Ids of one card are taken together only where there are no others: a container gets as many
    cards as it asks for devices.
    """
    chosen = list(must)[:size]
    taken = set(map(card, chosen))
    by_card: dict[str, list[str]] = {}
    for device in sorted(available, key=_order):
        if device not in chosen:
            by_card.setdefault(card(device), []).append(device)
    first = [uuid for uuid in by_card if uuid in wanted and uuid not in taken]
    others = [uuid for uuid in by_card if uuid not in wanted and uuid not in taken]
    again = [uuid for uuid in by_card if uuid in taken]
    rounds = zip_longest(*(by_card[uuid] for uuid in (*first, *others, *again)))
    spread = [device for each in rounds for device in each if device is not None]
    return chosen + spread[: size - len(chosen)]


def _order(device: str) -> tuple[str, int, str]:
    uuid, _, share = device.rpartition(SEPARATOR)
    return (uuid, int(share) if share.isdecimal() else 0, device)
