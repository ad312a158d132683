from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from hami_admission.certificates import authority, context
from hami_admission.control.http import Reply, Route, Server

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("a.test.svc", "127.0.0.1")


def test_a_new_identity_has_no_flaw_for_its_names_until_it_is_to_be_renewed() -> None:
    made = authority.create(NAMES, NOW)
    last = NOW + authority.LEAF_LIFE - authority.RENEW_BEFORE
    assert authority.flaw(made, NAMES, NOW - timedelta(hours=2)) is None
    assert authority.flaw(made, NAMES, last - timedelta(seconds=1)) is None
    assert "ends at" in str(authority.flaw(made, NAMES, last))
    assert "not for b.test.svc" in str(authority.flaw(made, (*NAMES, "b.test.svc"), NOW))


@pytest.mark.parametrize("field", ["ca", "ca_key", "certificate", "key"])
def test_each_part_that_is_damaged_or_foreign_is_told(field: str) -> None:
    made, other = authority.create(NAMES, NOW), authority.create(NAMES, NOW)
    damaged = msgspec.structs.replace(made, **{field: b"nonsense"})
    assert authority.flaw(damaged, NAMES, NOW) is not None
    if field != "ca_key":
        foreign = msgspec.structs.replace(made, **{field: getattr(other, field)})
        assert authority.flaw(foreign, NAMES, NOW) is not None


def test_a_renewal_keeps_the_authority_while_that_lives_long_enough() -> None:
    made = authority.create(NAMES, NOW)
    renewed = authority.renew(made, NAMES, NOW + timedelta(days=300))
    assert renewed.ca == made.ca
    assert authority.flaw(renewed, NAMES, NOW + timedelta(days=301)) is None
    late = authority.renew(made, NAMES, NOW + authority.CA_LIFE - timedelta(days=100))
    assert late.ca != made.ca


async def test_a_new_certificate_is_served_from_the_next_handshake_on() -> None:
    async def hello(_: bytes) -> Reply:
        return Reply(b"{}")

    now = datetime.now(UTC)
    first, second = authority.create(NAMES, now), authority.create(NAMES, now)
    tls = context.create()
    context.load(tls, first)
    server = Server({("GET", "/"): Route(hello)}, grace=0.1)
    port = await server.start("127.0.0.1", 0, tls)
    try:
        reader, writer = await _connect(port, first)
        context.load(tls, second)
        _, other = await _connect(port, second)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        for each in (writer, other):
            each.close()
            await each.wait_closed()
        with pytest.raises(ssl.SSLCertVerificationError):
            await _connect(port, first)
    finally:
        await server.stop()


async def _connect(
    port: int, identity: authority.Identity
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    trusting = ssl.create_default_context(cadata=identity.ca.decode())
    return await asyncio.open_connection("127.0.0.1", port, ssl=trusting)


def test_a_bundle_trusts_what_has_not_ended() -> None:
    first, second, third = (authority.create(NAMES, NOW) for _ in range(3))
    both = authority.trusting(second, first.ca, NOW)
    assert authority.trusts(both.ca, first)
    assert authority.trusts(both.ca, second)
    assert not authority.trusts(both.ca, third)
    assert authority.same_authority(both, second)
    assert authority.flaw(both, NAMES, NOW) is None
    assert authority.trusting(both, b"nonsense", NOW) == both
    assert authority.trusting(second, first.ca, NOW + authority.CA_LIFE).ca == second.ca
    many = both
    for _ in range(5):
        many = authority.trusting(authority.create(NAMES, NOW), many.ca, NOW)
    assert many.ca.count(b"BEGIN") == authority.MOST_TRUSTED
    assert authority.ordered(first, both.ca).startswith(first.ca)
    assert authority.ends(first) == NOW + authority.LEAF_LIFE
