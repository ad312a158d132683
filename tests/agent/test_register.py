"""The node's annotations are written when they are not what they should be, and only then."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hami_admission.agent.register import Register
from hami_admission.kube import errors


class Node:
    """A Node that can be read and patched."""

    def __init__(self, **annotations: str) -> None:
        self.annotations: dict[str, str | None] = dict(annotations)
        self.asked: list[str] = []
        self.failure: errors.ApiError | None = None

    async def request(
        self, method: str, path: str, body: bytes | None = None, *, content_type: str = ""
    ) -> bytes:
        assert path == "/api/v1/nodes/n"
        if self.failure is not None:
            raise self.failure
        self.asked.append(method)
        if method == "PATCH":
            told: Any = msgspec.json.decode(body or b"")
            self.annotations |= told["metadata"]["annotations"]
        there = {key: value for key, value in self.annotations.items() if value is not None}
        return msgspec.json.encode({"metadata": {"name": "n", "annotations": there}})


async def test_what_stands_there_is_not_written_again() -> None:
    node = Node(a="1", of="somebody")
    register = Register(node, "n")
    await register.publish({"a": "1", "b": None})
    assert node.asked == ["GET"]
    assert register.published
    await register.publish({"a": "2", "b": None})
    await register.publish({"a": "2", "b": None})
    assert node.asked == ["GET", "PATCH"]
    assert (register.writes, node.annotations["of"]) == (1, "somebody")


async def test_what_somebody_changed_is_found_when_it_is_doubted() -> None:
    node = Node()
    register = Register(node, "n")
    await register.publish({"a": "1", "b": None})
    node.annotations = {"a": "forged", "b": "forged"}
    await register.publish({"a": "1", "b": None})
    assert node.annotations["a"] == "forged"
    register.doubt()
    await register.publish({"a": "1", "b": None})
    assert node.annotations == {"a": "1", "b": None}


async def test_what_failed_is_written_the_next_time() -> None:
    node = Node()
    register = Register(node, "n")
    node.failure = errors.Unreachable(0, "away")
    with pytest.raises(errors.ApiError):
        await register.publish({"a": "1"})
    assert not register.published
    node.failure = None
    await register.publish({"a": "1"})
    assert node.annotations == {"a": "1"}
