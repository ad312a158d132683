"""What a plan came to, in a sentence for people: the text of a pod's event.

Facts/scheduling.md 12.1; unlike upstream's it names a few nodes of each kind only, and all tags
stand in one event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hami_admission.placement.place import Placement, Plan

MOST_NAMES, MOST_TAGS = 3, 16


def cause(unfit: Mapping[str, str]) -> str:
    """The tags of a refusal, without numbers and nodes: two refusals of one cause are one event."""
    return ",".join(sorted({tag for text in set(unfit.values()) for tag in _tags(text)}))


def refused(unfit: Mapping[str, str]) -> str:
    """``no available node, 9 nodes do not meet: 8 nodes CardNotHealth(a,b,c,…), …``.

    A node counts under each of its tags. The most frequent tags come first.
    """
    texts: dict[str, list[str]] = {}
    for name, text in unfit.items():
        texts.setdefault(text, []).append(name)
    nodes: dict[str, list[str]] = {}
    for text, names in texts.items():
        for tag in _tags(text):
            nodes.setdefault(tag, []).extend(names)
    ordered = sorted(nodes.items(), key=lambda each: (-len(each[1]), each[0]))
    parts = [f"{_nodes(len(names))} {tag}({_some(names)})" for tag, names in ordered[:MOST_TAGS]]
    verb = "does" if len(unfit) == 1 else "do"
    told = ": ".join(filter(None, (f"{_nodes(len(unfit))} {verb} not meet", ", ".join(parts))))
    return f"no available node, {told}"


def placed(plan: Plan, placement: Placement) -> str:
    """``find fit node(n), 3 nodes not fit, 5 nodes fit(n:12.50)``: the score of the chosen one."""
    where = f"{plan.best}:{placement.score:.2f}"
    refusals, fits = _nodes(len(plan.unfit)), _nodes(len(plan.fits))
    return f"find fit node({plan.best}), {refusals} not fit, {fits} fit({where})"


def bound(pod: str, node: str, score: float | None) -> str:
    """``Successfully binding node [n] to team/p, score 12.50``."""
    told = "" if score is None else f", score {score:.2f}"
    return f"Successfully binding node [{node}] to {pod}{told}"


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"


def _some(names: list[str]) -> str:
    few = sorted(names)[:MOST_NAMES] if len(names) <= 1000 else names[:MOST_NAMES]
    return ",".join(few) + (",…" if len(names) > len(few) else "")


def _tags(text: str) -> list[str]:
    """The tags of ``2/8 CardInsufficientCore, 3/8 CardNotHealth``; other texts up to a colon."""
    if text[:1].isdigit():
        return [part.rpartition(" ")[2] for part in text.split(", ")]
    return [text.partition(":")[0]]
