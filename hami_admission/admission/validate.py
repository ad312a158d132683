"""What can never work: objections, each with its field, its value and what would be right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.model.verdict import Objection
from hami_admission.settings import POLICIES
from hami_admission.wire import keys

if TYPE_CHECKING:
    from hami_admission.model.pod import Pod
    from hami_admission.vendors.vendor import Reading, Vendor


def objections(pod: Pod, asked: list[tuple[Vendor, tuple[Reading, ...]]]) -> list[Objection]:
    """Everything that is wrong with a pod that asks for an accelerator."""
    found = [each for _, readings in asked for reading in readings for each in reading.objections]
    found += [
        Objection(
            f"{container.path}.securityContext.privileged",
            "true",
            f"container {container.name} is privileged and would see every card of its node;"
            " remove privileged, or the accelerator",
        )
        for container in pod.containers
        if container.privileged
    ]
    if pod.node_name:
        found.append(_fixed_node(pod.node_name))
    found += [
        Objection(
            f"metadata.annotations[{name}]",
            value[:60],
            "only the scheduler writes this annotation; remove it",
        )
        for name, value in pod.annotations.items()
        if keys.reserved(name)
    ]
    return found


def warnings(pod: Pod, asked: list[tuple[Vendor, tuple[Reading, ...]]]) -> list[str]:
    """What was guessed, so that the user can say it otherwise."""
    found = [each for _, readings in asked for reading in readings for each in reading.warnings]
    for name in (keys.NODE_POLICY, keys.CARD_POLICY):
        value = pod.annotations.get(name, "")
        if value and value not in POLICIES:
            allowed = ", ".join(POLICIES)
            found.append(
                f"metadata.annotations[{name}]: {value[:60]!r} is not known, the cluster's default"
                f" is used; allowed: {allowed}"
            )
    return found


def _fixed_node(name: str) -> Objection:
    return Objection(
        "spec.nodeName",
        name,
        "a pod with accelerators has to be scheduled; remove it and use"
        f" spec.nodeSelector: {{kubernetes.io/hostname: {name}}}",
    )
