"""As the service account of a pod, by the three things that a kubelet gives it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from hami_admission.certificates import authority, context
from hami_admission.kube import access, errors
from hami_admission.kube import client as clients
from hami_admission.kube.client import Client

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, with a token that is not yet one for anything."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "ca.crt").write_bytes(authority.create(("x",), datetime.now(UTC)).ca)
    return tmp_path


async def test_the_token_is_sent_over_tls_of_the_mounted_authority(
    account: Path, aiohttp_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    material = authority.create(("127.0.0.1",), datetime.now(UTC))
    (account / "ca.crt").write_bytes(material.ca)
    tls = context.create()
    context.load(tls, material)
    heard: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        heard.append(request.headers["Authorization"])
        return web.Response(text="{}")

    app = web.Application()
    app.router.add_get("/version", answer)
    server = await aiohttp_server(app, ssl=tls)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
    client = Client(access.mounted(account))
    try:
        await client.request("GET", "/version")
        (account / "token").write_text("second")
        await client.request("GET", "/version")
        monkeypatch.setattr(access, "TOKEN_SECONDS", 0.0)
        await client.request("GET", "/version")
        (account / "token").unlink()
        await client.request("GET", "/version")
        assert client.failures == {}
        with pytest.raises(errors.NotFound):
            await client.request("GET", "/other")
        with pytest.raises(errors.NotFound):
            async with client.lines("/other", query={}, silence=5):
                pass
        assert client.failures == {"404": 2}
    finally:
        await client.close()
    assert heard == ["Bearer first", "Bearer first", "Bearer second", "Bearer second"]


async def test_a_server_of_another_authority_is_not_told_the_token(
    account: Path, aiohttp_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = context.create()
    context.load(tls, authority.create(("127.0.0.1",), datetime.now(UTC)))
    server = await aiohttp_server(web.Application(), ssl=tls)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
    client = Client(access.mounted(account))
    try:
        with pytest.raises(errors.Unreachable):
            await client.request("GET", "/version")
        assert client.failures == {"unanswered": 1}
    finally:
        await client.close()


async def test_an_address_of_version_six_stands_in_brackets(
    account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    found = access.mounted(account)
    assert found.base == "https://[fd00::1]:1"
    await found.close()


async def test_what_is_missing_is_named(account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (account / "token").unlink()
    with pytest.raises(errors.NoConfiguration, match="token"):
        access.mounted(account)
    (account / "ca.crt").write_text("not a certificate")
    with pytest.raises(errors.NoConfiguration, match=str(account)):
        access.mounted(account)
    monkeypatch.delenv("KUBERNETES_SERVICE_PORT")
    with pytest.raises(errors.NoConfiguration, match="not in a pod, and no --kubeconfig"):
        await clients.connect(None)


def test_a_process_in_a_pod_does_not_load_the_models_of_kubernetes_asyncio() -> None:
    program = "import sys, hami_admission.kube.client; print('kubernetes_asyncio' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert told.stdout == "False\n", told.stderr
