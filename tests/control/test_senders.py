"""The door of reviews: addresses of the API server as they come and go, and who is turned away."""

from __future__ import annotations

import asyncio
import json
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from unittest.mock import Mock

import aiohttp
import pytest

from hami_admission.certificates import authority, context
from hami_admission.certificates.files import Unusable
from hami_admission.cluster.state import Cluster
from hami_admission.control import app
from hami_admission.control import senders as doors
from hami_admission.control.http import Reply, Route, Server
from hami_admission.control.probes import Probes
from hami_admission.control.senders import Senders
from hami_admission.control.tls import Tls
from hami_admission.kube import errors
from hami_admission.settings import Settings
from tests.cluster.credentials import Authority
from tests.control.rig import a_context, careless

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BY_API_SERVER = Settings(review_senders="api-server")


class Api:
    """Answers with an EndpointSlice of these addresses, or fails."""

    def __init__(self, *addresses: str) -> None:
        self.addresses: tuple[str, ...] | None = addresses
        self.asked: list[str] = []

    async def request(self, method: str, path: str, *_: object, **__: object) -> bytes:
        self.asked.append(f"{method} {path}")
        if self.addresses is None:
            raise errors.of(403, "endpointslices is forbidden")
        return json.dumps({"endpoints": [{"addresses": [a]} for a in self.addresses]}).encode()


class Clock:
    """Stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def status(reply: Reply | None) -> int | None:
    """None where the sender may."""
    return None if reply is None else reply.status


async def test_the_api_server_by_its_slice() -> None:
    api = Api("10.0.0.1")
    made = Senders(BY_API_SERVER, api)
    await made.look()
    assert api.asked == [
        "GET /apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"
    ]
    assert made.guard("10.0.0.1", False) is None
    assert status(made.guard("10.0.0.2", False)) == 403
    api.addresses = ("10.0.0.1", "10.0.0.2")
    await made.look()
    assert made.guard("10.0.0.2", False) is None


async def test_an_address_that_is_gone_counts_for_a_while() -> None:
    """An API server that stops takes its address away first."""
    api, clock = Api("10.0.0.1", "10.0.0.2"), Clock()
    made = Senders(BY_API_SERVER, api, clock)
    await made.look()
    api.addresses = ("10.0.0.1",)
    clock.now += doors.KEPT_SECONDS - 1
    await made.look()
    assert made.guard("10.0.0.2", False) is None
    clock.now += 2
    await made.look()
    assert status(made.guard("10.0.0.2", False)) == 403
    assert made.guard("10.0.0.1", False) is None


@pytest.mark.parametrize("addresses", [None, ()], ids=["no right", "an empty slice"])
async def test_what_cannot_be_read_leaves_the_addresses_as_they_are(
    addresses: tuple[str, ...] | None, caplog: pytest.LogCaptureFixture
) -> None:
    api, clock = Api("10.0.0.1"), Clock()
    made = Senders(BY_API_SERVER, api, clock)
    await made.look()
    api.addresses = addresses
    for _ in range(5):
        clock.now += doors.KEPT_SECONDS
        await made.look()
    assert made.guard("10.0.0.1", False) is None
    lines = [each for each in caplog.records if each.levelname == "WARNING"]
    assert len(lines) == 1


async def test_before_the_addresses_are_known_reviews_are_sent_on_and_we_are_unready() -> None:
    api = Api()
    api.addresses = None
    made = Senders(BY_API_SERVER, api)
    probes = Probes(Cluster(Settings()), senders=lambda: made.known)
    await made.look()
    reply = made.guard("10.0.0.1", True)
    assert reply is not None
    assert (reply.status, reply.again) == (503, 1)
    assert "addresses of the API server" in probes.missing()
    assert made.refused == {"address": 0, "certificate": 0}
    api.addresses = ("10.0.0.1",)
    await made.look()
    assert "addresses of the API server" not in probes.missing()


@pytest.mark.parametrize("settings", [Settings(), Settings(review_senders=("10.0.0.0/8",))])
async def test_nobody_is_asked_where_the_setting_says_all(settings: Settings) -> None:
    api = Api("10.0.0.1")
    made = Senders(settings, api)
    async with asyncio.timeout(5):
        await made.run()
    assert made.known
    assert api.asked == []
    assert made.guard("10.9.9.9", False) is None
    everybody = settings.review_senders == "any"
    assert status(made.guard("11.0.0.1", False)) == (None if everybody else 403)


def test_strangers_are_counted_and_told_of_seldom(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    settings = Settings(review_senders=("10.0.0.0/8",), review_authority="ca.crt")
    made = Senders(settings, Api(), clock)
    for _ in range(3):
        reply = made.guard("192.0.2.1", True)
        assert reply is not None
        assert b"192.0.2.1 is not among them" in reply.body
        assert status(made.guard("10.0.0.1", False)) == 403
    assert made.refused == {"address": 3, "certificate": 3}
    assert [each.getMessage() for each in caplog.records] == ["a stranger's review"]
    clock.now += doors.TOLD_SECONDS
    made.guard("192.0.2.1", True)
    assert len(caplog.records) == 2


def test_the_guard_stands_before_reviews_alone() -> None:
    parts = [Mock() for _ in range(5)]
    guarded = {path for (_, path), route in app.routes(*parts).items() if route.guard is not None}
    assert guarded == {"/mutate", "/webhook", "/validate"}


async def echo(body: bytes) -> Reply:
    """The body."""
    return Reply(body)


async def asked(
    server: Server, tls: ssl.SSLContext, client: ssl.SSLContext, headers: Mapping[str, str] = {}
) -> int:
    """The status of a request to a server that is started and stopped for it."""
    port = await server.start("127.0.0.1", 0, tls)
    url = f"https://127.0.0.1:{port}/validate"
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=b"x", ssl=client, headers=headers) as answer,
        ):
            return answer.status
    finally:
        await server.stop()


def guarded(guard: object) -> Server:
    """A server of one route."""
    route = Route(echo, 100, guard=guard)  # type: ignore[arg-type]
    return Server({("POST", "/validate"): route}, grace=0.1)


@pytest.mark.parametrize(
    ("near", "wanted"), [(("127.0.0.0/8",), 200), (("10.0.0.0/8",), 403)], ids=["near", "far"]
)
async def test_the_address_is_that_of_the_connection_whatever_headers_say(
    near: tuple[str, ...], wanted: int
) -> None:
    made = Senders(Settings(review_senders=near), Api())
    said = "10.0.0.1" if wanted == 403 else "11.0.0.1"
    headers = {"X-Forwarded-For": said, "Forwarded": f"for={said}", "X-Real-IP": said}
    assert await asked(guarded(made.guard), a_context(), careless(), headers) == wanted


async def test_a_certificate_of_the_authority_and_of_no_other(tmp_path: Path) -> None:
    trusted, other = Authority(tmp_path), Authority(tmp_path, "other")
    made = Senders(Settings(review_authority=str(trusted.file)), Api())
    shown, without, foreign = careless(), careless(), careless()
    shown.load_cert_chain(*trusted.issue("api-server", ["api-server"]))
    foreign.load_cert_chain(*other.issue("somebody", ["somebody"]))
    for client, wanted in ((shown, 200), (without, 403)):
        tls = a_context()
        context.ask_for(tls, str(trusted.file))
        assert await asked(guarded(made.guard), tls, client) == wanted
    tls = a_context()
    context.ask_for(tls, str(trusted.file))
    with pytest.raises(aiohttp.ClientError):  # no handshake
        await asked(guarded(made.guard), tls, foreign)
    assert made.refused == {"address": 0, "certificate": 1}


def test_a_certificate_is_asked_for_where_the_setting_says_so(tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    file.write_bytes(authority.create(("a.test",), datetime.now(UTC)).ca)
    modes = []
    for said in ("", str(file)):
        tls = Tls(Mock(), Mock(), Mock())
        tls.ask_for(said)
        modes.append(tls.context.verify_mode)
    assert modes == [ssl.CERT_NONE, ssl.CERT_OPTIONAL]


@pytest.mark.parametrize("content", [None, b"nonsense"], ids=["missing", "no certificate"])
def test_an_authority_that_cannot_be_read_ends_us(tmp_path: Path, content: bytes | None) -> None:
    """Else whoever has set it would think that strangers are kept out."""
    file = tmp_path / "ca.crt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Unusable, match=r"ca\.crt: "):
        Tls(Mock(), Mock(), Mock()).ask_for(str(file))
