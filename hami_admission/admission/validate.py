"""What can never work: objections, each with its field, its value and what would be right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.model.verdict import Objection
from hami_admission.vendors import table
from hami_admission.wire import keys, wishes
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hami_admission.model.pod import Pod
    from hami_admission.vendors.vendor import Reading, Vendor

    Owners = Mapping[str, object]


def objections(pod: Pod, asked: list[tuple[Vendor, tuple[Reading, ...]]]) -> list[Objection]:
    """Everything that is wrong with a pod that asks for an accelerator, each thing once.

    What is wrong with the pod (an annotation) is found for each container that asks.
    """
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
    found += [each for vendor, readings in asked if vendor.single for each in _more(pod, readings)]
    found += _long_wishes(pod, asked) or _wishes(pod, asked)
    return list(dict.fromkeys(found))


def _more(pod: Pod, readings: tuple[Reading, ...]) -> Iterator[Objection]:
    """The containers after the first that ask for cards which one of a pod alone can have."""
    having = [
        container
        for container, reading in zip(pod.containers, readings, strict=True)
        if reading.request is not None
    ]
    for container in having[1:]:
        yield Objection(
            f"{container.path}.resources.limits",
            container.name,
            "the device plugin serves one container of a pod, and that is"
            f" {having[0].name}; leave these cards to it, or use a pod of its own",
        )


def warnings(asked: list[tuple[Vendor, tuple[Reading, ...]]]) -> list[str]:
    """What was guessed, so that the user can say it otherwise."""
    return [each for _, readings in asked for reading in readings for each in reading.warnings]


def strangers(
    pod: Pod, asked: list[tuple[Vendor, tuple[Reading, ...]]], known: Owners
) -> list[str]:
    """Resources that are called like those of an asked family and are none: mostly misspelt."""
    makers: dict[str, list[str]] = {}
    for vendor, _ in asked:
        makers.setdefault(vendor.names.count.partition("/")[0], []).extend(vendor.names.asking)
    return [
        f"{container.path}.resources: {name}: nothing here gives that out; of {maker} there are"
        f" {', '.join(makers[maker])}"
        for container in pod.containers
        for name in sorted({*(container.limits or ()), *(container.requests or ())})
        if (maker := name.partition("/")[0]) in makers and name not in known
    ]


MOST_WISHES_BYTES = 4096
"""Of the annotations in which a pod chooses cards, all together: some ninety ids of cards. Each pod
that waits is kept with them."""

_WISHES: dict[str, Callable[[str], object]] = {
    keys.NODE_POLICY: wishes.node_policy,
    keys.CARD_POLICY: wishes.card_policy,
    keys.WEIGHTS: wishes.weights,
    keys.TOPOLOGY: wishes.topology,
}


def _wishes(pod: Pod, asked: list[tuple[Vendor, tuple[Reading, ...]]]) -> Iterator[Objection]:
    """Wishes that cannot be read; a guess would put the pod where its user does not want it."""
    if not pod.annotations:
        return
    readers = dict(_WISHES)
    for vendor, _ in asked:
        own = vendor.keys
        readers |= {own.mode: wishes.modes, own.numa_bind: wishes.flag}
        readers |= dict.fromkeys((own.use_type, own.use_uuid, own.older_use_uuid), wishes.wanted)
    for name, read in readers.items():
        text = pod.annotations.get(name)
        if text is None:
            continue
        try:
            read(text)
        except Malformed as error:
            yield Objection(f"metadata.annotations[{name}]", repr(text[:60]), str(error))


def _long_wishes(pod: Pod, asked: list[tuple[Vendor, tuple[Reading, ...]]]) -> list[Objection]:
    names = table.wishes(vendor for vendor, _ in asked)
    sizes = {name: len(text.encode()) for name, text in pod.annotations.items() if name in names}
    size = sum(sizes.values())
    if size <= MOST_WISHES_BYTES:
        return []
    longest = max(sorted(sizes), key=sizes.__getitem__)
    return [
        Objection(
            f"metadata.annotations[{longest}]",
            repr(pod.annotations[longest][:60]),
            f"what the pod wishes of its cards has {size} bytes in all, and may have"
            f" {MOST_WISHES_BYTES}; choose nodes by spec.nodeSelector, or cards by their type",
        )
    ]


def _fixed_node(name: str) -> Objection:
    return Objection(
        "spec.nodeName",
        name,
        "a pod with accelerators has to be scheduled; remove it and use"
        f" spec.nodeSelector: {{kubernetes.io/hostname: {name}}}",
    )
