"""Standing for election against a Lease in memory that knows versions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hami_admission.kube import election, errors
from hami_admission.kube.election import Election
from hami_admission.wire import leases
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from hami_admission.wire.leases import Lease


class Store:
    """One Lease, or none; ``failure`` is raised in place of an answer."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.failure: errors.ApiError | None = None

    async def request(
        self, method: str, path: str, body: bytes | None = None, *, seconds: float = 0
    ) -> bytes:
        if self.failure is not None:
            raise self.failure
        if method == "GET":
            if self.lease is None:
                raise errors.NotFound(404, path)
            return msgspec.json.encode(self.lease)
        found = msgspec.json.decode(body or b"")
        version = found["metadata"].pop("resourceVersion", None)
        if (method == "POST") != (self.lease is None) or version != (
            None if self.lease is None else self.lease["metadata"]["resourceVersion"]
        ):
            raise errors.Conflict(409, "changed")
        self.version += 1
        found["metadata"]["resourceVersion"] = str(self.version)
        self.lease = found
        return msgspec.json.encode(found)

    def read(self) -> Lease:
        return leases.decode(msgspec.json.encode(self.lease))


class Clock:
    """The monotonic clock of all."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(election, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def standing(store: Store, name: str) -> Election:
    return Election(store, "ns", "lease", name)  # type: ignore[arg-type]


async def test_the_first_leads_until_it_is_silent_for_longer_than_its_lease(clock: Clock) -> None:
    store = Store()
    one, two = standing(store, "one"), standing(store, "two")
    await one.round()
    await two.round()
    assert (one.leads(), two.leads(), store.read().holder) == (True, False, "one")
    clock.now += election.VALID_SECONDS
    assert not one.leads()
    await two.round()
    assert not two.leads()
    clock.now += election.LEASE_SECONDS
    await two.round()
    assert (two.leads(), store.read().holder, store.read().transitions) == (True, "two", 1)
    await one.round()
    assert not one.leads()


async def test_a_lease_that_is_renewed_stays(clock: Clock) -> None:
    store = Store()
    one, two = standing(store, "one"), standing(store, "two")
    for _ in range(20):
        await one.round()
        await two.round()
        clock.now += election.EVERY_SECONDS
        await asyncio.sleep(0.001)  # renewTime is of the wall clock
        assert one.leads()
        assert not two.leads()


async def test_who_resigns_lets_another_lead_at_once(clock: Clock) -> None:
    assert clock.now
    store = Store()
    one, two = standing(store, "one"), standing(store, "two")
    await one.round()
    await one.resign()
    assert not one.leads()
    await two.round()
    assert two.leads()
    await one.resign()
    assert store.read().holder == "two"


async def test_a_race_is_won_by_one(clock: Clock) -> None:
    assert clock.now
    store = Store()
    one, two = standing(store, "one"), standing(store, "two")
    await one.round()
    await one.resign()
    seen = store.lease
    await one.round()
    store.lease, latest = seen, store.lease
    assert latest is not None
    store.lease = latest
    await two.round()
    assert (one.leads(), two.leads()) == (True, False)


async def test_without_answers_it_ends_and_tells_for_how_long(clock: Clock) -> None:
    store = Store()
    one = standing(store, "one")
    await one.round()
    store.failure = errors.Unreachable(0, "away")
    clock.now += 8
    with pytest.raises(errors.Unreachable):
        await one.round()
    assert not one.leads()
    assert one.silence == 8
    await one.resign()


def test_a_lease_that_cannot_be_read_is_said() -> None:
    with pytest.raises(Malformed, match="not a Lease"):
        leases.decode(b"[]")
    assert leases.decode(b"{}").holder == ""
