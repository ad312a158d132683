"""Webhooks of other people on the same API server: they edit after us, or say no after us."""

from __future__ import annotations

import base64
import copy
import ssl
import tempfile
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonpatch
from aiohttp import web

from hami_admission.certificates import authority
from tests import build
from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.kinds import KINDS
from tests.cluster.processes import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    Edit = Callable[["Json"], None]

Json = dict[str, Any]

HOST = "127.101.0.1"
"""Of the loopback range, outside the range of Services."""

ASKED = "neighbour"
"""A pod with this label is sent to the webhook of that name."""

REFUSED = "not in this house"
"""The words of a webhook that says no."""


class Neighbours:
    """One server for the webhooks of one namespace; see `running`."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._edits: dict[str, Edit] = {}
        self._configurations: list[str] = []
        self._url = ""
        self._bundle = ""
        self.asked: set[str] = set()
        """Names of the webhooks that the API server has called."""

    async def edits(
        self, name: str, edit: Edit, *, again: bool = False, prefix: str = "zz"
    ) -> None:
        """Have this webhook called for pods with its label, after ours unless the prefix says so.

        ``edit`` changes the pod that it is given; ``again``: it asks for reinvocation, as ours.
        """
        self._edits[name] = edit
        policy = {"reinvocationPolicy": "IfNeeded" if again else "Never"}
        await self._register("MutatingWebhookConfiguration", name, prefix, policy)

    async def refuses(self, name: str) -> None:
        """Have this webhook say no to pods with its label, when all have edited."""
        await self._register("ValidatingWebhookConfiguration", name, "zz", {})

    async def _register(self, kind: str, name: str, prefix: str, more: Json) -> None:
        path = f"{prefix}-{self._namespace}-{name}"
        rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
        webhook = {
            "name": f"{name}.example.org",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "timeoutSeconds": 5,
            "rules": [{**rule, "operations": ["CREATE"]}],
            "clientConfig": {"url": f"{self._url}/{kind}/{name}", "caBundle": self._bundle},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self._namespace}},
            "objectSelector": {"matchLabels": {ASKED: name}},
            **more,
        }
        self._configurations.append(KINDS[kind].path(name=path))
        await self._api.apply({"kind": kind, "metadata": {"name": path}, "webhooks": [webhook]})
        await wait(lambda: self._called(name), f"webhook {name} is called")

    async def _called(self, name: str) -> bool:
        """A dry run shows whether the API server knows of the webhook by now."""
        labels = {ASKED: name}
        pod = build.pod_json(build.container(), namespace=self._namespace, labels=labels)
        # What an edit makes of such a pod need not be allowed.
        with suppress(ApiFailure):
            await self._api.create(KINDS["Pod"].path(self._namespace), pod, dryRun="All")
        return name in self.asked

    async def _answer(self, request: web.Request) -> web.Response:
        review = await request.json()
        pod, name = review["request"]["object"], request.match_info["name"]
        self.asked.add(name)
        answer: Json = {"uid": review["request"]["uid"], "allowed": True}
        if request.match_info["kind"].startswith("Mutating"):
            edited = copy.deepcopy(pod)
            self._edits[name](edited)
            patch = jsonpatch.make_patch(pod, edited).to_string().encode()
            answer |= {"patchType": "JSONPatch", "patch": base64.b64encode(patch).decode()}
        else:
            answer |= {"allowed": False, "status": {"message": REFUSED, "code": 403}}
        return web.json_response({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": answer,
        })

    async def _start(self) -> web.AppRunner:
        identity = authority.create((HOST,), datetime.now(UTC))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "both.pem"
            file.write_bytes(identity.certificate + identity.key)
            tls.load_cert_chain(file)
        app = web.Application()
        app.router.add_post("/{kind}/{name}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        port = free_port(HOST)
        await web.TCPSite(runner, HOST, port, ssl_context=tls).start()
        self._url = f"https://{HOST}:{port}"
        self._bundle = base64.b64encode(identity.ca).decode()
        return runner

    async def _leave(self) -> None:
        for path in self._configurations:
            # One that was not taken in must not keep the others.
            with suppress(ApiFailure):
                await self._api.delete(path)


@asynccontextmanager
async def running(api: Api, namespace: str) -> AsyncIterator[Neighbours]:
    """A server of webhooks for this namespace; at the end the API server knows none of them."""
    neighbours = Neighbours(api, namespace)
    runner = await neighbours._start()
    try:
        yield neighbours
    finally:
        await neighbours._leave()
        await runner.cleanup()
