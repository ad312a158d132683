"""Nothing is decided before what others decided was seen."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from hami_admission.control import catchup
from hami_admission.control.catchup import CatchUp, NotCaughtUp
from hami_admission.kube import errors


class Rig:
    """The Lease of the kube-schedulers, and a list that can be waited for."""

    def __init__(self, holder: str | None = None) -> None:
        self.holder = holder
        self.failure: errors.ApiError | None = None
        self.lists = 0
        self.looks = 0
        self.catch_up = CatchUp(self, "/lease", self.refresh)

    async def request(
        self, method: str, path: str, body: bytes | None = None, *, content_type: str = ""
    ) -> bytes:
        self.looks += 1
        if self.failure is not None:
            raise self.failure
        if self.holder is None:
            raise errors.NotFound(404, path)
        return msgspec.json.encode({"spec": {"holderIdentity": self.holder}})

    async def refresh(self) -> None:
        await asyncio.sleep(0)
        self.lists += 1


@pytest.fixture(autouse=True)
def _always_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catchup, "TRUSTED_SECONDS", 0.0)


async def test_pods_are_listed_when_another_led_meanwhile() -> None:
    rig = Rig("a")
    await rig.catch_up.start()
    await rig.catch_up.ensure()
    assert rig.lists == 0
    rig.holder = "b"
    await rig.catch_up.ensure()
    await rig.catch_up.ensure()
    assert rig.lists == rig.catch_up.count == 1


async def test_alone_there_is_nothing_to_see() -> None:
    rig = Rig(None)
    await rig.catch_up.start()
    await rig.catch_up.ensure()
    assert rig.lists == 0


async def test_what_cannot_be_told_is_an_error_and_looked_for_again() -> None:
    rig = Rig("a")
    rig.failure = errors.ApiError(500, "no")
    await rig.catch_up.start()
    with pytest.raises(NotCaughtUp, match="cannot be read: 500: no"):
        await rig.catch_up.ensure()
    rig.failure = None
    await rig.catch_up.ensure()
    assert rig.lists == 1


async def test_questions_at_once_look_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catchup, "TRUSTED_SECONDS", 60.0)
    rig = Rig("a")
    await asyncio.gather(*(rig.catch_up.ensure() for _ in range(20)))
    assert (rig.looks, rig.lists) == (1, 1)
