"""The wait for MIG instances: ready, failed, too late, an API server that does not serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from hami_admission.control import instances
from hami_admission.control.instances import NotMade
from hami_admission.kube import errors
from hami_admission.model.instance import Instance, Place
from hami_admission.wire import instances as wire
from hami_admission.wire import keys
from hami_admission.wire.instances import Answer, Failure

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.virtual_time

PLACE = Place("GPU-a", "1g.5gb", 6, 1)
MADE = Instance(PLACE, "MIG-1", 7, 0)


class Node:
    """A node whose agent answers each attempt as ``answer`` says of its number."""

    def __init__(self, answer: Callable[[int], Answer]) -> None:
        self.notes: dict[str, str] = {keys.MIG_INSTANCES: wire.encode_answer(answer(1))}
        self._answer = answer
        self.looks = 0

    async def request(
        self, method: str, path: str, body: bytes | None = None, *, content_type: str = ""
    ) -> bytes:
        assert path == "/api/v1/nodes/n"
        if method == "PATCH":
            self.notes |= msgspec.json.decode(body or b"")["metadata"]["annotations"]
            return b"{}"
        for wanted in wire.all_wanted(self.notes).values():
            self.looks += 1
            assert wanted is not None
            assert wanted.places == (PLACE,)
        if self.looks > 1 and wanted is not None:
            self.notes[keys.MIG_INSTANCES] = wire.encode_answer(self._answer(wanted.at))
        return msgspec.json.encode({"metadata": {"name": "n", "annotations": self.notes}})


async def test_an_answer_counts_for_the_attempt_that_it_names() -> None:
    node = Node(lambda at: Answer((MADE,), {"u": at}))
    assert await instances.made(node, "n", "u", (PLACE,)) == {PLACE: MADE}
    assert node.looks == 2


async def test_on_a_node_of_hamis_plugin_nobody_is_asked() -> None:
    node = Node(lambda at: Answer((MADE,), {"u": at}))
    node.notes = {}
    assert await instances.made(node, "n", "u", (PLACE,)) == {}
    assert node.notes == {}


async def test_what_failed_says_why() -> None:
    node = Node(lambda at: Answer((), {}, {"u": Failure(at, "1g.5gb: insufficient resources")}))
    with pytest.raises(
        NotMade, match=r"^node n did not make .* instance: 1g\.5gb: insufficient resources$"
    ):
        await instances.made(node, "n", "u", (PLACE,))
    assert node.looks == 2


async def test_without_an_agent_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances, "WAIT_SECONDS", 0.2)
    node = Node(lambda _: Answer((MADE,), {"another": 1}))
    with pytest.raises(NotMade, match=r"1g\.5gb at 6 of GPU-a.* within 0\.2 s.*agent run on n"):
        await instances.made(node, "n", "u", (PLACE,))


class Away:
    """An API server that does not serve."""

    async def request(
        self, method: str, path: str, body: bytes | None = None, *, content_type: str = ""
    ) -> bytes:
        raise errors.Unreachable(0, "connection refused")


async def test_an_api_server_that_does_not_serve_is_the_reason() -> None:
    with pytest.raises(NotMade, match="MIG instances of n: connection refused"):
        await instances.made(Away(), "n", "u", (PLACE,))
