"""Kubernetes Events (core/v1), to be made and to be counted up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec

LONGEST = 1024
"""Characters of a message that the API server takes."""


class Notice(msgspec.Struct, frozen=True):
    """Something to be told of an object; notices of one object, reason and cause are one Event.

    What is told of a Node stands in namespace ``default``, as kubelets have it.
    """

    namespace: str
    name: str
    uid: str
    reason: str
    message: str
    kind: Literal["Normal", "Warning"] = "Normal"
    cause: str = ""
    about: Literal["Pod", "ResourceQuota", "Node"] = "Pod"


def cut(notice: Notice) -> Notice:
    """With a message that the API server takes."""
    if len(notice.message) <= LONGEST:
        return notice
    return msgspec.structs.replace(notice, message=notice.message[: LONGEST - 1] + "…")


def encode(notice: Notice, *, name: str, component: str, count: int, since: float) -> bytes:
    """The Event; ``since`` is a unix second."""
    stamp = _stamp(since)
    return msgspec.json.encode({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": notice.namespace},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": notice.about,
            **({} if notice.about == "Node" else {"namespace": notice.namespace}),
            "name": notice.name,
            "uid": notice.uid,
        },
        "reason": notice.reason,
        "message": cut(notice).message,
        "type": notice.kind,
        "source": {"component": component},
        "reportingComponent": component,
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": count,
    })


def repeated(notice: Notice, *, count: int, now: float) -> bytes:
    """The merge patch that says that it happened again, and how it reads now."""
    last = {"count": count, "lastTimestamp": _stamp(now), "message": cut(notice).message}
    return msgspec.json.encode(last)


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
