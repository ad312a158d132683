"""Secret ↔ process: one identity for all replicas, its authority into the webhooks."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

import msgspec

from hami_admission.certificates import authority
from hami_admission.certificates.authority import Identity
from hami_admission.kube import errors, paths
from hami_admission.kube.client import JSON_PATCH

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from hami_admission.kube.client import Client

ATTEMPTS = 10
"""Rounds of read and write before we give up for now; each lost round is another's success."""

_FIELDS = {"ca": "ca.crt", "ca_key": "ca.key", "certificate": "tls.crt", "key": "tls.key"}


class _Metadata(msgspec.Struct):
    name: str = ""
    resource_version: str = msgspec.field(name="resourceVersion", default="")


class _Secret(msgspec.Struct):
    metadata: _Metadata
    data: dict[str, str] | None = None


class _ClientConfig(msgspec.Struct):
    ca_bundle: str = msgspec.field(name="caBundle", default="")


class _Webhook(msgspec.Struct):
    name: str
    client_config: _ClientConfig = msgspec.field(name="clientConfig", default_factory=_ClientConfig)


class _Configuration(msgspec.Struct):
    webhooks: list[_Webhook] | None = None


class Keeper:
    """Keeps one Secret's identity good, for serving under ``names``."""

    def __init__(
        self,
        client: Client,
        *,
        namespace: str,
        secret: str,
        names: tuple[str, ...],
        clock: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._secret = secret
        self._names = names
        self._clock = clock

    async def identity(self) -> Identity:
        """The identity that all replicas serve with; made or renewed when it must be.

        Replicas that find it missing at the same time race; the first to write wins, and the
        others take what it wrote. Raises ApiError.
        """
        for _ in range(ATTEMPTS):
            try:
                return await self._attempt()
            except errors.Conflict:
                continue
        raise errors.Conflict(409, f"secret {self._secret}: {ATTEMPTS} attempts in conflict")

    async def publish(self, identity: Identity, configuration: str) -> list[str]:
        """Put the authority into both webhook configurations; gives the paths that do not exist."""
        missing = []
        for base in paths.WEBHOOKS:
            try:
                await self._publish(f"{base}/{configuration}", identity.ca)
            except errors.NotFound:
                missing.append(f"{base}/{configuration}")
        return missing

    async def _attempt(self) -> Identity:
        now = self._clock()
        path = paths.secret(self._namespace, self._secret)
        try:
            body = await self._client.request("GET", path)
        except errors.NotFound:
            made = authority.create(self._names, now)
            where = paths.secrets(self._namespace)
            await self._client.request("POST", where, self._encode(made, ""))
            return made
        secret = msgspec.json.decode(body, type=_Secret)
        kept = _decode(secret)
        flaw = "incomplete" if kept is None else authority.flaw(kept, self._names, now)
        if kept is not None and flaw is None:
            return kept
        made = self._replacement(kept, flaw or "", now)
        await self._client.request(
            "PUT", path, self._encode(made, secret.metadata.resource_version)
        )
        return made

    def _replacement(self, kept: Identity | None, flaw: str, now: datetime) -> Identity:
        if kept is None or flaw.startswith(authority.BEYOND_REPAIR):
            return authority.create(self._names, now)
        return authority.renew(kept, self._names, now)

    def _encode(self, identity: Identity, version: str) -> bytes:
        data = {
            key: base64.b64encode(getattr(identity, field)).decode()
            for field, key in _FIELDS.items()
        }
        metadata = {"name": self._secret, "namespace": self._namespace}
        if version:
            metadata["resourceVersion"] = version
        return msgspec.json.encode({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": metadata,
            "data": data,
        })

    async def _publish(self, path: str, ca: bytes) -> None:
        body = await self._client.request("GET", path)
        wanted = base64.b64encode(ca).decode()
        patch = []
        for index, webhook in enumerate(
            msgspec.json.decode(body, type=_Configuration).webhooks or ()
        ):
            if webhook.client_config.ca_bundle != wanted:
                base = f"/webhooks/{index}"
                patch += [
                    {"op": "test", "path": f"{base}/name", "value": webhook.name},
                    {"op": "add", "path": f"{base}/clientConfig/caBundle", "value": wanted},
                ]
        if patch:
            await self._client.request(
                "PATCH", path, msgspec.json.encode(patch), content_type=JSON_PATCH
            )


def _decode(secret: _Secret) -> Identity | None:
    data = secret.data or {}
    try:
        return Identity(**{field: base64.b64decode(data[key]) for field, key in _FIELDS.items()})
    except (KeyError, binascii.Error):
        return None
