"""Driver: where the cards are found, and what it must be able to tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hami_admission.model.instance import Instance, Place
    from hami_admission.node.facts import CardEvent, CardFacts, Load


class DriverError(Exception):
    """The driver does not answer, or not as it should; the message says what was asked."""


class Driver(Protocol):
    """Raises DriverError wherever it cannot answer."""

    async def cards(self) -> tuple[CardFacts, ...]:
        """All cards of the machine, as they are now."""

    def events(self) -> AsyncIterator[CardEvent]:
        """What befalls cards, as it happens; without an end. A card that is lost is told again and
        again, for as long as it is."""

    async def usage(self) -> tuple[Load, ...]:
        """What is used of each card now."""

    async def make(self, place: Place) -> None:
        """Cut an instance out of its card, ready for use; nothing is left of one that failed."""

    async def destroy(self, instance: Instance) -> None:
        """Take an instance away that nobody uses."""

    async def close(self) -> None:
        """Let the machine go."""
