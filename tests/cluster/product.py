"""The product on the control plane: its manifests as they are, its process, its kube-scheduler."""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import yaml

from hami_admission.wire import keys, registers
from tests import build
from tests.cluster.api import Api, wait
from tests.cluster.kinds import KINDS

if TYPE_CHECKING:
    from tests.cluster.control_plane import ControlPlane
    from tests.cluster.processes import Process

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
ADDRESS = "127.100.0.10"
"""The Service's address: of the loopback range, so that the process can listen on it."""

SERVER_NAME = "hami-admission.hami-system.svc"


def manifests(name: str) -> list[Json]:
    """The documents of a file of ``webhooks/``."""
    return list(yaml.safe_load_all((ROOT / "webhooks" / name).read_text()))


def node_annotations(name: str, cards: int = 8, **fields: Any) -> dict[str, str]:
    """The register annotation of a node with that many A100-80G."""
    devices = tuple(build.device(index, node=name, **fields) for index in range(cards))
    return {keys.NVIDIA_REGISTER: registers.encode(devices)}


def a_quota(namespace: str, name: str = "quota", **hard: int) -> Json:
    """A ResourceQuota to be created."""
    made = build.quota_json(name, namespace, **hard)
    return {**made, "metadata": {"name": name, "namespace": namespace}}


class Product:
    """Our control process and the kube-scheduler beside it."""

    def __init__(self, plane: ControlPlane, api: Api) -> None:
        self.plane = plane
        self.api = api
        self.process: Process | None = None
        self.scheduler: Process | None = None

    async def install(self) -> None:
        """Apply the shipped manifests, and the Service that the webhooks name."""
        account = {"name": "hami-admission", "namespace": "hami-system"}
        await self.api.apply(
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
        for name in ("rbac.yaml", "policy.yaml", "mutating.yaml", "validating.yaml"):
            for each in manifests(name):
                await self.api.apply(each, namespace=each["metadata"].get("namespace"))

    async def start(self, kubeconfig: Path | None = None) -> None:
        """Start our process and wait until it is ready."""
        config = kubeconfig or self.plane.kubeconfig("control")
        where = ["--host", ADDRESS, "--port", "443", "--kubeconfig", str(config)]
        argv = [sys.executable, "-m", "hami_admission", "control", *where, "--log-format", "text"]
        self.process = self.plane.run_process("hami-admission", argv)
        await self.ready()

    async def ready(self) -> None:
        """Wait until /readyz says so."""
        assert self.process is not None
        process = self.process

        async def ask() -> bool:
            assert process.running, process.tail()
            try:
                status, _ = await self.call("GET", "/readyz")
            except aiohttp.ClientError:
                return False
            return status == 200

        await wait(ask, "control process ready")

    async def start_scheduler(self, **changes: Any) -> None:
        """Start kube-scheduler with the shipped configuration, which names its neighbour here."""
        (config,) = manifests("kube-scheduler.yaml")
        authority = self.plane.folder / "data" / "hami-ca.crt"
        authority.write_bytes(await self.authority())
        extender = config["extenders"][0]
        extender["urlPrefix"] = changes.get("url", f"https://{ADDRESS}:443")
        extender["tlsConfig"] = {"caFile": str(authority), "serverName": SERVER_NAME}
        self.scheduler = await asyncio.to_thread(self.plane.start_scheduler, config)

    async def authority(self) -> bytes:
        """The certificate authority in the Secret."""
        path = KINDS["Secret"].path("hami-system", "hami-admission-tls")
        return base64.b64decode((await self.api.get(path))["data"]["ca.crt"])

    async def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """One request to our process, past the API server."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        url = f"https://{ADDRESS}:443{path}"
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, data=body, ssl=context) as answer,
        ):
            return answer.status, await answer.read()

    def kill(self) -> None:
        """End our process as a crash would."""
        assert self.process is not None
        self.process.kill()

    def stop(self) -> None:
        """End both processes in order."""
        for process in (self.scheduler, self.process):
            if process is not None and process.running:
                process.stop()


def charged(quota: Json) -> dict[str, int]:
    """What a quota's status says of our keys, without ``limits.nvidia.com/``."""
    used = quota.get("status", {}).get("used", {})
    return {
        key.rpartition("/")[2]: int(_plain(value))
        for key, value in used.items()
        if key.startswith("limits.nvidia.com/")
    }


def _plain(quantity: str) -> str:
    """The API server writes 4000 as 4k."""
    return re.sub(r"k$", "000", quantity)
