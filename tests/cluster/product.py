"""The product on the control plane: its manifests as they are, its process, its kube-scheduler."""

from __future__ import annotations

import asyncio
import base64
import io
import ssl
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import yaml

from hami_admission.wire import keys, registers
from tests import build
from tests.cluster.api import wait
from tests.cluster.control_plane import WEBHOOK_HOST
from tests.cluster.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.cluster.api import Api
    from tests.cluster.control_plane import ControlPlane
    from tests.cluster.processes import Process

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
ADDRESS = "127.100.0.10"
"""The Service's address: of the loopback range, so that the process can listen on it."""

MANIFESTS = ("rbac.yaml", "policy.yaml", "mutating.yaml", "validating.yaml")

SCHEDULER_ENV = {"GOGC": "400"}
"""As webhooks/kube-scheduler.yaml advises."""

SETTINGS = "holdSeconds: 10\nnodeLockSeconds: 20\n"
"""Shorter than shipped: no webhook of these tests takes ten seconds, and many wait for its end; and
no device plugin of theirs takes twenty."""


SERVER_NAME = WEBHOOK_HOST


def manifests(name: str) -> list[Json]:
    """The documents of a file of ``webhooks/``."""
    return list(yaml.safe_load_all((ROOT / "webhooks" / name).read_text()))


def node_annotations(name: str, cards: int = 8, **fields: Any) -> dict[str, str]:
    """The register annotation of a node with that many A100-80G."""
    devices = tuple(build.device(index, node=name, **fields) for index in range(cards))
    return {keys.NVIDIA_REGISTER: registers.encode(devices)}


def a_quota(namespace: str, name: str = "quota", **hard: Any) -> Json:
    """A ResourceQuota to be created."""
    made = build.quota_json(name, namespace, **hard)
    return {**made, "metadata": {"name": name, "namespace": namespace}}


class Product:
    """Our control process and the kube-scheduler beside it; one for the whole session."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.process: Process | None = None
        self.scheduler: Process | None = None

    async def ensure(self, api: Api) -> None:
        """Installed and running, whatever the test before did to it."""
        if self.process is None:
            await self.install(api)
        if self.process is None or not self.process.running:
            await self.start()
        if self.scheduler is None or not self.scheduler.running:
            await self.start_scheduler(api)

    async def install(self, api: Api) -> None:
        """Apply the shipped manifests, and the Service that the webhooks name."""
        account = {"name": "hami-admission", "namespace": "hami-system"}
        await api.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "hami-system"}},
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": account,
                "spec": {"clusterIP": ADDRESS, "ports": [{"port": 443}]},
            },
            {
                "apiVersion": "node.k8s.io/v1",
                "kind": "RuntimeClass",
                "metadata": {"name": "nvidia"},
                "handler": "nvidia",
            },
        )
        for name in MANIFESTS:
            for each in manifests(name):
                await api.apply(each, namespace=each["metadata"].get("namespace"))

    async def start(
        self,
        *,
        host: str = ADDRESS,
        kubeconfig: Path | None = None,
        wait_ready: bool = True,
        env: Mapping[str, str] | None = None,
        told: str = SETTINGS,
    ) -> None:
        """Start our process and wait until it is ready; `env` adds to this environment."""
        config = kubeconfig or self.plane.kubeconfig("control")
        where = ["--host", host, "--port", "443", "--kubeconfig", str(config)]
        settings = self.plane.folder / "data" / "settings.yaml"
        settings.write_text(told)
        where += ["--config", str(settings), "--log-format", "text"]
        argv = [sys.executable, "-m", "hami_admission", "control", *where]
        self.process = self.plane.run_process("hami-admission", argv, env=env)
        if wait_ready:
            await self.ready(host)

    async def ready(self, host: str = ADDRESS) -> None:
        """Wait until /readyz says so."""
        assert self.process is not None
        process = self.process

        async def ask() -> bool:
            assert process.running, process.tail()
            try:
                status, _ = await call("GET", "/readyz", host=host)
            except aiohttp.ClientError:
                return False
            return status == 200

        await wait(ask, "control process ready")

    async def start_scheduler(self, api: Api, **fields: Any) -> None:
        """Start kube-scheduler with the shipped configuration, told where its neighbour is.

        `fields` stand in place of what is shipped.
        """
        (config,) = manifests("kube-scheduler.yaml")
        config |= fields
        authority = self.plane.folder / "data" / "hami-ca.crt"
        authority.write_bytes(base64.b64decode((await secret(api))["ca.crt"]))
        extender = config["extenders"][0]
        extender["urlPrefix"] = f"https://{ADDRESS}:443"
        extender["tlsConfig"] = {"caFile": str(authority), "serverName": SERVER_NAME}
        start = partial(self.plane.start_scheduler, config, SCHEDULER_ENV)
        self.scheduler = await asyncio.to_thread(start)

    def kill(self) -> None:
        """End our process as a crash would."""
        assert self.process is not None
        self.process.kill()

    def stop(self, *, quickly: bool = False) -> None:
        """End both processes, in order or at once."""
        for process in (self.scheduler, self.process):
            if process is not None and process.running:
                process.kill() if quickly else process.stop()


async def secret(api: Api) -> dict[str, str]:
    """The data of the Secret with our certificates."""
    path = KINDS["Secret"].path("hami-system", "hami-admission-tls")
    data: dict[str, str] = (await api.get(path))["data"]
    return data


async def call(
    method: str,
    path: str,
    body: bytes | None = None,
    *,
    host: str = ADDRESS,
    source: str | None = None,
    shown: tuple[Path, Path] | None = None,
) -> tuple[int, bytes]:
    """One request to our process, past the API server.

    It comes from `source`, an address of this machine, and shows a client certificate (with key).
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if shown is not None:
        context.load_cert_chain(*shown)
    local = None if source is None else (source, 0)
    url = f"https://{host}:443{path}"
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=local)) as session,
        # A stream, for the client warns of large bodies that are given whole.
        session.request(method, url, data=io.BytesIO(body or b""), ssl=context) as answer,
    ):
        return answer.status, await answer.read()


def charged(quota: Json) -> dict[str, int]:
    """What a quota's status says of our keys, without ``limits.nvidia.com/``."""
    used = quota.get("status", {}).get("used", {})
    return {
        key.rpartition("/")[2]: int(_plain(value))
        for key, value in used.items()
        if key.startswith("limits.nvidia.com/")
    }


def _plain(quantity: str) -> str:
    """The API server writes 4000 as 4k, and 4000000 as 4M."""
    zeros = {"k": "000", "M": "000000", "G": "000000000"}
    return quantity[:-1] + zeros[quantity[-1]] if quantity[-1] in zeros else quantity
