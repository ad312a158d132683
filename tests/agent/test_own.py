"""The pods of a node, by what a watch tells of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hami_admission.agent.own import Own
from hami_admission.kube import reflector, watch
from hami_admission.node.admissions import Admissions
from hami_admission.wire import keys
from tests import build

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hami_admission.kube.reflector import Reflector, Signal

pytestmark = pytest.mark.virtual_time


def body(
    name: str, *, started: bool = False, phase: str = "Pending", card: str = "GPU-a"
) -> msgspec.Raw:
    notes = {keys.NVIDIA_ALLOCATED: f"{card},NVIDIA,1,0:;"} if card else {}
    pod = build.pod_json(build.container(), name=name, uid=name, annotations=notes)
    pod["status"] = {"phase": phase, **({"startTime": "2026-01-01T00:00:00Z"} if started else {})}
    return msgspec.Raw(msgspec.json.encode(pod))


async def told(*signals: Signal) -> tuple[Own, Admissions]:
    """What is known after these, and in which selector they were asked for."""
    admissions = Admissions()
    client: Any = None
    made = Own(client, "n", admissions)
    selectors: list[str] = []

    async def stream(_: Any, following: Reflector) -> AsyncIterator[Signal]:
        selectors.append(following.query()["fieldSelector"])
        for each in signals:
            yield each
        await asyncio.sleep(60)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watch, "signals", stream)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert selectors == ["spec.nodeName=n"]
    return made, admissions


async def test_who_is_new_to_the_kubelet_is_asked_for_in_the_order_of_arrival() -> None:
    made, admissions = await told(
        reflector.Listing(),
        reflector.Seen(body("runs", started=True)),
        reflector.Listed(),
        reflector.Seen(body("first", card="GPU-b")),
        reflector.Seen(body("second")),
        reflector.Seen(body("plain", card="")),
    )
    assert made.listed
    assert {pod.name for pod in made.all()} == {"runs", "first", "second", "plain"}
    asked = admissions.next(1)
    assert asked is not None
    assert (asked.uid, asked.need.cards) == ("first", ("GPU-b",))
    assert [pod.name for pod in made.with_card("GPU-a")] == ["runs", "second"]
    assert made.by_name("team", "second") is not None
    assert made.by_name("other", "second") is None


async def test_who_was_taken_in_has_ended_or_is_gone_is_not_asked_for() -> None:
    made, admissions = await told(
        *(reflector.Seen(body(name)) for name in ("a", "b", "c")),
        reflector.Seen(body("a", started=True)),
        reflector.Seen(body("b", phase="Failed")),
        reflector.Removed(body("c")),
    )
    assert len(admissions) == 0
    assert [pod.name for pod in made.all()] == ["a"]


async def test_what_is_not_in_a_new_list_is_gone_and_what_cannot_be_read_is_passed_over() -> None:
    made, _ = await told(
        reflector.Seen(body("a")),
        reflector.Seen(body("b")),
        reflector.Listing(),
        reflector.Seen(body("b")),
        reflector.Seen(msgspec.Raw(b'{"metadata": 1}')),
        reflector.Listed(),
    )
    assert [pod.name for pod in made.all()] == ["b"]
