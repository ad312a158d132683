"""What the *restricted* Pod Security level asks of a pod, and a little more.

After the published standard (kubernetes.io/docs/concepts/security/pod-security-standards), for the
fields that a chart may write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.packaging.chart import containers

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"),
    *("persistentVolumeClaim", "projected", "secret"),
}
PROFILES = {"RuntimeDefault", "Localhost"}


def flaws(spec: Json) -> list[str]:
    """Why the level would refuse the pod, or why we would; empty where all is well."""
    found = [each for each in ("hostNetwork", "hostPID", "hostIPC") if spec.get(each)]
    for volume in spec.get("volumes", ()):
        found += [f"volume {volume['name']}: {kind}" for kind in volume.keys() - {"name", *VOLUMES}]
    general = spec.get("securityContext", {})
    for each in containers(spec):
        context = {**general, **each.get("securityContext", {})}
        found += [f"{each['name']}: {flaw}" for flaw in (*_context(context), *_ports(each))]
    return found


def _context(context: Json) -> Iterator[str]:
    capabilities = context.get("capabilities", {})
    wanted = {
        "privileged": not context.get("privileged", False),
        "allowPrivilegeEscalation": context.get("allowPrivilegeEscalation") is False,
        "capabilities are dropped": "ALL" in capabilities.get("drop", ()),
        "capabilities are added": not capabilities.get("add"),
        "runAsNonRoot": context.get("runAsNonRoot") is True,
        "runAsUser": context.get("runAsUser") != 0,
        "seccompProfile": context.get("seccompProfile", {}).get("type") in PROFILES,
        "readOnlyRootFilesystem": context.get("readOnlyRootFilesystem") is True,
    }
    return (name for name, well in wanted.items() if not well)


def _ports(container: Json) -> Iterator[str]:
    for port in container.get("ports", ()):
        if "hostPort" in port:
            yield "hostPort"
        if port["containerPort"] < 1024:
            yield f"port {port['containerPort']}"
