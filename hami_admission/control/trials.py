"""One question to the API server, as a user asks it: is an accelerator pod rewritten?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hami_admission.kube import errors, paths
from hami_admission.vendors import table
from hami_admission.wire import keys

if TYPE_CHECKING:
    from hami_admission.kube.client import Client
    from hami_admission.settings import Settings

Json = dict[str, Any]


async def ask(client: Client, namespace: str, settings: Settings) -> list[str]:
    """What is wrong with the answer to a creation that is a dry run: one line each.

    A refusal is a line as well. Raises Unreachable where there is no API server.
    """
    body = msgspec.json.encode(pod(settings))
    try:
        answer = await client.request(
            "POST", paths.pods(namespace), body, query={"dryRun": "All"}, seconds=30.0
        )
    except errors.Unreachable:
        raise
    except errors.ApiError as error:
        return [str(error)]
    return flaws(msgspec.json.decode(answer), settings)


def pod(settings: Settings) -> Json:
    """Asks for one unit of the first family's count; fit for a namespace that is restricted."""
    limits = {table.build(settings)[0].names.count: "1"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "hami-admission-try-"},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "try",
                    "image": "hami-admission/never-pulled",
                    "resources": {"limits": limits},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }


def flaws(answer: Json, settings: Settings) -> list[str]:
    """What is wrong with that pod, as the API server gives it back."""
    spec = answer["spec"]
    found = []
    if spec.get("schedulerName") != settings.scheduler_name:
        found.append(
            f"the pod's scheduler is {spec.get('schedulerName')}, not {settings.scheduler_name}:"
            " the mutating webhook was passed over"
        )
    sources = (
        entry.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath", "")
        for container in spec["containers"]
        for entry in container.get("env", ())
    )
    if not any(keys.ENV_PREFIX in source for source in sources):
        found.append(f"no variable of the container comes from an annotation {keys.ENV_PREFIX}…")
    return found
