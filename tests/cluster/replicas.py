"""Several replicas, each a control process and its kube-scheduler, behind one Service."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from typing import TYPE_CHECKING, Any

from tests.cluster.api import ApiFailure, wait
from tests.cluster.kinds import KINDS
from tests.cluster.product import ADDRESS, ROOT, SCHEDULER_ENV, SERVER_NAME, call, manifests, secret
from tests.cluster.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.cluster.api import Api
    from tests.cluster.processes import Process
    from tests.cluster.product import Product

POD_GRACE = 30.0
"""Seconds that a pod of ours has to end (webhooks/control.yaml)."""

LEASE = KINDS["Lease"].path("hami-system", "hami-scheduler")


class Replica:
    """One replica; its way to the API server is a pipe of its own."""

    def __init__(self, product: Product, number: int, settings: str, *, faulty: bool) -> None:
        self.number = number
        self.faulty = faulty
        self.host = f"127.100.0.{20 + number}"
        self.pipe: Process | None = None
        self.proxy = Proxy(f"https://{self.host}:8001")
        """Where it is ``faulty``: what its control process says goes through here as well."""
        self.control: Process | None = None
        self.env: Mapping[str, str] = {}
        """Of its control process, beside this environment: it may be another version."""
        self.scheduler: Process | None = None
        self._plane = product.plane
        self._settings = settings
        self._folder = product.plane.folder / "data"

    @property
    def backend(self) -> str:
        """Where it serves."""
        return f"{self.host}:443"

    @property
    def parts(self) -> list[Process]:
        """Its processes that run."""
        every = (self.scheduler, self.control, self.pipe)
        return [each for each in every if each is not None and each.running]

    async def start(self) -> None:
        """Start the control process behind the pipe; ``ready`` waits for it."""
        argv = [sys.executable, "-m", "tests.cluster.pipe"]
        ends = [f"{self.host}:8001", self._plane.url.removeprefix("https://")]
        env = {"PYTHONPATH": str(ROOT)}
        self.pipe = self._plane.run_process(f"pipe-{self.number}", [*argv, *ends], env=env)
        if self.faulty:
            await self.proxy.start(self.host, 8002)
        self._run()

    def _run(self) -> None:
        settings = self._folder / f"settings-{self.number}.yaml"
        settings.write_text(self._settings)
        options = {
            "host": self.host,
            "port": "443",
            "kubeconfig": str(self._kubeconfig("control", proxied=self.faulty)),
            "config": str(settings),
            "log-format": "text",
        }
        told = [word for name, value in options.items() for word in (f"--{name}", value)]
        argv = [sys.executable, "-m", "hami_admission", "control", *told]
        name = f"hami-admission-{self.number}"
        self.control = self._plane.run_process(name, argv, env=self.env, grace=POD_GRACE)

    async def ready(self) -> None:
        """Wait until /readyz says so."""

        async def ask() -> bool:
            assert self.control is not None
            assert self.control.running, self.control.tail()
            try:
                return (await call("GET", "/readyz", host=self.host))[0] == 200
            except OSError:
                return False

        await wait(ask, f"replica {self.number} ready")

    async def start_scheduler(self, api: Api) -> None:
        """Start its kube-scheduler as shipped, told where its neighbour is."""
        (config,) = manifests("kube-scheduler.yaml")
        authority = self._folder / f"hami-ca-{self.number}.crt"
        authority.write_bytes(base64.b64decode((await secret(api))["ca.crt"]))
        extender = config["extenders"][0]
        extender["urlPrefix"] = f"https://{self.backend}"
        extender["tlsConfig"] = {"caFile": str(authority), "serverName": SERVER_NAME}
        kubeconfig = self._kubeconfig("kube-scheduler")
        self.scheduler = await asyncio.to_thread(
            self._plane.start_scheduler, config, SCHEDULER_ENV, kubeconfig
        )

    async def restart(self, api: Api) -> None:
        """As ``kubectl rollout restart``: asked to end, then started anew, with its neighbour."""
        assert self.control is not None
        await self._end()
        self.control.start()
        await self.ready()
        await self.start_scheduler(api)

    async def become(self, api: Api, env: Mapping[str, str]) -> None:
        """As a rollout to another version does it to one replica."""
        await self._end()
        self.env = env
        self._run()
        await self.ready()
        await self.start_scheduler(api)

    async def _end(self) -> None:
        assert self.control is not None
        assert self.scheduler is not None
        await asyncio.gather(
            asyncio.to_thread(self.control.stop), asyncio.to_thread(self.scheduler.stop)
        )

    async def stop(self) -> None:
        """End everything."""
        for process in self.parts:
            process.resume()
            process.kill()
        await self.proxy.stop()

    def _kubeconfig(self, identity: str, *, proxied: bool = False) -> Path:
        path = self._folder / f"{identity}-{self.number}.kubeconfig"
        config = json.loads(self._plane.kubeconfig(identity).read_text())
        cluster = {"server": f"https://{self.host}:8001", "tls-server-name": "localhost"}
        if proxied:
            cluster = {"server": f"http://{self.host}:8002"}
        config["clusters"][0]["cluster"] |= cluster
        path.write_text(json.dumps(config))
        return path


class Replicas:
    """All of them and the Service in front."""

    def __init__(
        self, product: Product, count: int = 3, settings: str = "", *, faulty: bool = False
    ) -> None:
        self.product = product
        self.all = [
            Replica(product, number + 1, settings, faulty=faulty) for number in range(count)
        ]
        self._balancer: Process | None = None

    async def start(self, api: Api, *, schedulers: bool = True) -> None:
        """All ready, and reached through the Service's address."""
        self.product.stop(quickly=True)
        for each in self.all:
            await each.start()
        await self.ready()
        backends = [each.backend for each in self.all]
        argv = [sys.executable, "-m", "tests.cluster.balancer", f"{ADDRESS}:443", *backends]
        env = {"PYTHONPATH": str(ROOT)}
        self._balancer = self.product.plane.run_process("balancer", argv, env=env)
        await wait(self.served, "the Service")
        for each in self.all if schedulers else ():
            await each.start_scheduler(api)
        if schedulers:
            await wait(lambda: self.holder(api), "a kube-scheduler leads")

    async def ready(self) -> None:
        """All of them."""
        for each in self.all:
            await each.ready()

    async def stop(self) -> None:
        """End everything."""
        if self._balancer is not None:
            self._balancer.kill()
        for each in self.all:
            await each.stop()

    def revive(self) -> None:
        """As a kubelet does it: a kube-scheduler that lost its lease has ended by itself."""
        for each in self.all:
            if each.scheduler is not None and not each.scheduler.running:
                each.scheduler.start()

    async def served(self) -> bool:
        """Is somebody ready?"""
        try:
            return (await call("GET", "/readyz"))[0] == 200
        except OSError:
            return False

    async def holder(self, api: Api) -> str:
        """Who leads, by the Lease of the kube-schedulers."""
        try:
            lease: dict[str, Any] = await api.get(LEASE)
        except ApiFailure:
            return ""
        return str(lease["spec"].get("holderIdentity") or "")

    def leading(self) -> Replica:
        """The replica whose kube-scheduler leads, by what it says itself."""
        for each in self.all:
            if each.scheduler is not None and each.scheduler.running:
                log = each.scheduler.log.read_text(errors="replace")
                if "successfully acquired lease" in log.lower():
                    return each
        raise AssertionError("no kube-scheduler leads")
