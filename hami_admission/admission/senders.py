"""Who may send reviews: where a connection comes from and what it shows in, a refusal out.

What headers say does not count, nor what stands in the review.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

ANY, API_SERVER = "any", "api-server"
"""Of the setting ``reviewSenders``, which else is a list of ranges."""

Wrong = Literal["address", "certificate"]


class Stranger(msgspec.Struct, frozen=True):
    """Somebody who may not send reviews: by what, and the sentence for him."""

    wrong: Wrong
    text: str


class Rule(msgspec.Struct, frozen=True):
    """Ranges of addresses, None is all; and whether a client certificate has to be shown."""

    ranges: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] | None = None
    certificate: bool = False


def rule(ranges: Iterable[str] | None, *, certificate: bool) -> Rule:
    """Of ranges or addresses as texts; raises ValueError for what is none."""
    if ranges is None:
        return Rule(None, certificate)
    return Rule(tuple(ipaddress.ip_network(each) for each in ranges), certificate)


def judge(rule: Rule, address: str | None, *, certificate: bool) -> Stranger | None:
    """None if the sender may; ``certificate``: was one shown that an authority of ours has signed?

    ``address`` is that of the connection's other end, None where it has gone.
    """
    if rule.ranges is not None and not _within(rule.ranges, address):
        return Stranger(
            "address",
            f"reviews are taken from whom reviewSenders names, and {address} is not among them",
        )
    if rule.certificate and not certificate:
        return Stranger(
            "certificate",
            "reviews are taken from who shows a client certificate of reviewAuthority",
        )
    return None


def _within(
    ranges: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...], address: str | None
) -> bool:
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped  # a socket of both families names an IPv4 address so
    return any(found in each for each in ranges)
