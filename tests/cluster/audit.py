"""What the API server was asked, from its audit log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

LOGS = "CLUSTER_AUDIT_LOGS"
"""The environment variable that names the folder where the logs of a whole run are kept."""

POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


class Audit:
    """Requests seen by the API server; an entry appears shortly after the client's answer."""

    def __init__(self, path: Path, start: int = 0) -> None:
        """Reads from a byte offset of the log on."""
        self._path = path
        self._offset = start
        self._events: dict[str, dict[str, Any]] = {}

    def requests(
        self,
        user: str | None = None,
        verb: str | None = None,
        resource: str | None = None,
        subresource: str | None = None,
        namespace: str | None = None,
        name: str | None = None,
    ) -> list[dict[str, Any]]:
        """One event per request, oldest first; `subresource=""` keeps those without one."""
        self._read()
        wanted = {
            "resource": resource,
            "subresource": subresource,
            "namespace": namespace,
            "name": name,
        }
        return [
            event
            for event in self._events.values()
            if user in {None, event["user"].get("username")}
            and verb in {None, event["verb"]}
            and _matches(event.get("objectRef") or {}, wanted)
        ]

    def _read(self) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # The API server is still writing it.
                self._offset += len(line)
                event = json.loads(line)
                # A watch is logged when it starts and when it ends: one request.
                self._events[event["auditID"]] = event


def _matches(reference: dict[str, Any], wanted: dict[str, str | None]) -> bool:
    return all(value is None or reference.get(key, "") == value for key, value in wanted.items())
