"""What kube-proxy does, as a process: every Service is reached at its cluster address.

``python -m tests.cluster.service_proxy URL CA_FILE TOKEN``. The addresses are put on the node's
link, so pods reach them through their node, and so does the API server; they stay when a Service
goes, for connections to them must be able to end, and go with the link. The Service of the API
server has no endpoints here; it leads to URL. Connections that stand are left alone when an
endpoint goes, as kube-proxy leaves them.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

from tests.cluster.api import Api, ApiFailure
from tests.cluster.balancer import copy
from tests.cluster.node_machine import LINK, ip

Json = dict[str, Any]
Address = tuple[str, int]

PERIOD_SECONDS = 0.2


class ServiceProxy:
    """Round robin over the ready endpoints of each port of each Service."""

    def __init__(self, api: Api, url: str) -> None:
        where = urlsplit(url)
        self._api = api
        self._api_server: Address = (where.hostname or "", where.port or 443)
        self._backends: dict[Address, list[Address]] = {}
        self._servers: dict[Address, asyncio.Server] = {}
        self._addresses: set[str] = set()
        self._turn = itertools.count()

    async def run(self) -> None:
        """For ever; what the API server does not answer now, it answers later."""
        while True:
            with contextlib.suppress(ApiFailure, OSError):
                await self._look()
            await asyncio.sleep(PERIOD_SECONDS)

    async def _look(self) -> None:
        services = await self._api.list("/api/v1/services")
        slices = await self._api.list("/apis/discovery.k8s.io/v1/endpointslices")
        self._backends = {
            (service["spec"]["clusterIP"], port["port"]): self._of(service, port, slices)
            for service in services
            for port in service["spec"].get("ports", ())
            if service["spec"].get("clusterIP", "None") != "None"
        }
        for address in self._backends.keys() - self._servers.keys():
            if address[0] not in self._addresses:
                ip("address", "add", f"{address[0]}/32", "dev", LINK)
                self._addresses.add(address[0])
            serve = partial(self._serve, address)
            self._servers[address] = await asyncio.start_server(serve, *address)
        for address in self._servers.keys() - self._backends.keys():
            self._servers.pop(address).close()

    def _of(self, service: Json, port: Json, slices: list[Json]) -> list[Address]:
        metadata = service["metadata"]
        if (metadata["namespace"], metadata["name"]) == ("default", "kubernetes"):
            return [self._api_server]
        return [
            (address, each["port"])
            for part in slices
            if part["metadata"]["namespace"] == metadata["namespace"]
            and part["metadata"].get("labels", {}).get("kubernetes.io/service-name")
            == metadata["name"]
            for each in part["ports"] or ()
            if each.get("name", "") == port.get("name", "")
            for endpoint in part["endpoints"] or ()
            if endpoint.get("conditions", {}).get("ready")
            for address in endpoint["addresses"]
        ]

    async def _serve(
        self, to: Address, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            there = await self._connect(to)
            if there is not None:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(copy(there[0], writer))
                    tasks.create_task(copy(reader, there[1]))
        finally:
            writer.close()

    async def _connect(
        self, to: Address
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """Where one refuses, the next: a container may have ended a moment ago."""
        backends, turn = self._backends.get(to, []), next(self._turn)
        for step in range(len(backends)):
            with contextlib.suppress(OSError):
                return await asyncio.open_connection(*backends[(turn + step) % len(backends)])
        return None


async def main(url: str, authority: str, token: str) -> None:
    """Until it is killed."""
    async with Api(url, Path(authority), token) as api:
        await ServiceProxy(api, url).run()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
