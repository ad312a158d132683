"""The annotations in which users say where a pod may go, value by value (facts/scheduling.md 7).

Each function raises Malformed with what is allowed.
"""

from __future__ import annotations

from typing import get_args

from hami_admission.model.wishes import Topology, Weights
from hami_admission.settings import Policy
from hami_admission.wire.errors import Malformed

SORT_KEYS = ("binpack", "spread", "numa")
ALONE, LINKED = "mutex", "topology-aware"
CARD_POLICIES = (*SORT_KEYS, ALONE, LINKED)
MODES = ("hami-core", "mig", "mps")
HIGHEST_WEIGHT = 1_000_000

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


def node_policy(text: str) -> str:
    """``binpack`` or ``spread``."""
    allowed = get_args(Policy)
    if text.strip() not in allowed:
        raise Malformed(f"allowed: {', '.join(allowed)}")
    return text.strip()


def card_policy(text: str) -> tuple[str, ...]:
    """One policy or several, comma between them, the first deciding first."""
    found = members(text)
    if not found or not set(found) <= set(CARD_POLICIES):
        raise Malformed(f"allowed: {', '.join(CARD_POLICIES)}, or several with commas between them")
    return found


def weights(text: str) -> Weights:
    """``slot=1,core=1,memory=3``: all three, whole numbers from 0, one of them above 0."""
    parts = [part.split("=") for part in text.split(",")]
    found = {part[0].strip(): part[1].strip() for part in parts if len(part) == 2}
    known = len(parts) == 3 and found.keys() == {"slot", "core", "memory"}
    if not known or not all(each.isascii() and each.isdigit() for each in found.values()):
        raise Malformed("write slot=1,core=1,memory=3: all three, each a whole number from 0")
    numbers = {
        name: int(each) if len(each) < 9 else HIGHEST_WEIGHT + 1 for name, each in found.items()
    }
    if not any(numbers.values()) or max(numbers.values()) > HIGHEST_WEIGHT:
        raise Malformed(f"one weight at least must be above 0, and none above {HIGHEST_WEIGHT}")
    return Weights(**numbers)


def flag(text: str) -> bool:
    """True or false as Go's ParseBool takes them."""
    if text.strip() in _TRUE:
        return True
    if text.strip() in _FALSE:
        return False
    raise Malformed("allowed: true, false")


def modes(text: str) -> frozenset[str] | None:
    """Ways of sharing a card, comma between them; blank is no constraint."""
    found = frozenset(members(text))
    if not found <= set(MODES):
        raise Malformed(f"allowed: {', '.join(MODES)}")
    return found or None


def topology(text: str) -> Topology:
    """``preferred`` or ``required``."""
    if text.strip() not in {Topology.PREFERRED.value, Topology.REQUIRED.value}:
        raise Malformed("allowed: preferred, required")
    return Topology(text.strip())


def wanted(text: str) -> tuple[str, ...] | None:
    """A list of types or uuids of which one is wanted; blank is no constraint."""
    if not text.strip():
        return None
    found = members(text)
    if not found:
        raise Malformed("a list of commas names no card; remove the annotation or name one")
    return found


def members(text: str) -> tuple[str, ...]:
    """The parts of a comma list, trimmed, without blanks."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
