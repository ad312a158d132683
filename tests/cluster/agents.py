"""The agent as a process, with the rights and the token that it has in a pod of its node."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.cluster.api import ApiFailure, wait
from tests.cluster.credentials import kubeconfig
from tests.cluster.kinds import KINDS
from tests.cluster.node_machine import FOLDER
from tests.cluster.processes import free_port
from tests.cluster.product import manifests

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.cluster.api import Api
    from tests.cluster.control_plane import ControlPlane
    from tests.cluster.node_rig import NodeRig

Json = dict[str, Any]

NAMESPACE, ACCOUNT = "hami-system", "hami-node-agent"


async def install(api: Api, *further: str) -> None:
    """Apply webhooks/agent.yaml; and the rights of ``devices`` and ``mig`` only if wanted."""
    for each in manifests("agent.yaml"):
        await api.apply(each, namespace=each["metadata"].get("namespace"))
    for name in (f"{ACCOUNT}-{each}" for each in ("devices", "mig")):
        if name.removeprefix(f"{ACCOUNT}-") not in further:
            with suppress(ApiFailure):
                await api.delete(KINDS["ClusterRoleBinding"].path(name=name))
            continue
        await api.apply({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": name,
            },
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}],
        })


async def token(api: Api, node: str) -> str:
    """As a kubelet gets one for the agent's pod: bound to a pod of that node."""
    pod: Json = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"agent-of-{node}"},
        "spec": {
            "serviceAccountName": ACCOUNT,
            "nodeName": node,
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "agent", "image": "none", "imagePullPolicy": "Never"}],
            "nodeSelector": {"nobody": "runs-it"},
        },
    }
    path = KINDS["Pod"].path(NAMESPACE, f"agent-of-{node}")
    try:
        await api.get(path)
    except ApiFailure:
        await api.apply(pod, namespace=NAMESPACE)
    uid = (await api.get(path))["metadata"]["uid"]
    bound = {"kind": "Pod", "apiVersion": "v1", "name": f"agent-of-{node}", "uid": uid}
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
               "spec": {"boundObjectRef": bound, "expirationSeconds": 3600}}  # fmt: skip
    account = KINDS["ServiceAccount"].path(NAMESPACE, ACCOUNT)
    answer: Json = await api.create(f"{account}/token", request)
    return str(answer["status"]["token"])


async def configured(plane: ControlPlane, api: Api, node: str) -> Path:
    """A kubeconfig with such a token."""
    path = plane.folder / "data" / f"agent-{node}.kubeconfig"
    path.touch(mode=0o600)
    path.write_text(kubeconfig(plane.url, plane.ca_file, await token(api, node)))
    return path


class Agent:
    """The agent of the rig's node, with a scripted driver; its files lie in the rig's folder."""

    def __init__(self, node: NodeRig, config: Path, *flags: str) -> None:
        self.node = node
        self.script = FOLDER / "script.json"
        self.settings = FOLDER / "config.json"
        self.hook = FOLDER / "hook"
        self.port = free_port()
        argv = [
            *(sys.executable, "-m", "hami_admission", "agent", "--node-name", node.name),
            *("--kubeconfig", str(config), "--log-format", "text", "--host", "127.0.0.1"),
            *("--driver", "scripted", "--script", str(self.script)),
            *("--node-config", str(self.settings), "--metrics-port", str(self.port)),
            *("--set", f"hook-path={self.hook}", *flags),
        ]
        self.process = node.run("agent", argv)

    def has(
        self, *uuids: str, sick: Sequence[Json] = (), links: Sequence[Json] = (), **fields: Any
    ) -> None:
        """These cards with these fields and links, and what is wrong with them."""
        cards = [{"uuid": uuid, **fields} for uuid in uuids]
        _put(self.script, {"cards": cards, "links": list(links), "sick": list(sick)})

    def set(self, **fields: Any) -> None:
        """What config.json says of the node."""
        _put(self.settings, {"nodeconfig": [{"name": self.node.name, **fields}]})

    def install_library(self) -> None:
        """What stands for the isolation library: nothing here is linked against anything."""
        (self.hook / "vgpu").mkdir(parents=True, exist_ok=True)
        for name in ("libvgpu.so", "ld.so.preload"):
            (self.hook / "vgpu" / name).touch()

    async def start(self, api: Api) -> None:
        """Run it until the kubelet and the API server know its cards."""
        self.process.start()
        await self.ready()
        await registered(api, self.node.name)

    async def ready(self) -> None:
        """Wait until /readyz says so."""

        async def ask() -> bool:
            assert self.process.running, self.process.tail()
            return (await self.page("readyz"))[0] == 200

        await wait(ask, "the agent ready")

    async def page(self, path: str) -> tuple[int, str]:
        """One of its pages; status 0 where nobody answers."""
        url = f"http://127.0.0.1:{self.port}/{path}"
        try:
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                return answer.status, await answer.text()
        except aiohttp.ClientError:
            return 0, ""


def _put(path: Path, value: Json) -> None:
    """At once: it may be read at any time."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(value))
    unfinished.replace(path)


async def registered(api: Api, node: str) -> list[Json]:
    """The cards in the node's annotation, once there are any."""

    async def ask() -> list[Json]:
        found = await api.get(KINDS["Node"].path(name=node))
        text = found["metadata"].get("annotations", {}).get("hami.io/node-nvidia-register", "[]")
        cards: list[Json] = json.loads(text)
        return cards

    return await wait(ask, f"cards of {node}")
