"""The agent as a process, with the rights and the token that it has in a pod of its node."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from tests.cluster.api import wait
from tests.cluster.credentials import kubeconfig
from tests.cluster.kinds import KINDS
from tests.cluster.product import manifests

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.api import Api
    from tests.cluster.control_plane import ControlPlane
    from tests.cluster.processes import Process

Json = dict[str, Any]

NAMESPACE, ACCOUNT = "hami-system", "hami-node-agent"


async def install(api: Api, *, devices: bool = False) -> None:
    """Apply webhooks/agent.yaml; with the further right of mode ``devices``, if wanted."""
    for each in manifests("agent.yaml"):
        await api.apply(each, namespace=each["metadata"].get("namespace"))
    if devices:
        await api.apply({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "hami-node-agent-devices"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "hami-node-agent-devices",
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
    await api.apply(pod, namespace=NAMESPACE)
    path = KINDS["Pod"].path(NAMESPACE, f"agent-of-{node}")
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


def start(plane: ControlPlane, node: str, config: Path, *flags: str) -> Process:
    """Run it; what it is told beside its node stands in ``flags``."""
    argv = [sys.executable, "-m", "hami_admission", "agent", "--node-name", node]
    own = ["--kubeconfig", str(config), "--log-format", "text", "--host", "127.0.0.1"]
    return plane.run_process(f"agent-{node}", [*argv, *own, *flags])


def script(*uuids: str, **more: Any) -> str:
    """A file for the scripted driver with these cards."""
    return json.dumps({"cards": [{"uuid": uuid} for uuid in uuids], **more})


async def registered(api: Api, node: str) -> list[Json]:
    """The cards in the node's annotation, once there are any."""

    async def ask() -> list[Json]:
        found = await api.get(KINDS["Node"].path(name=node))
        text = found["metadata"].get("annotations", {}).get("hami.io/node-nvidia-register", "[]")
        cards: list[Json] = json.loads(text)
        return cards

    return await wait(ask, f"cards of {node}")
