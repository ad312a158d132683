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

NEW_AUTHORITY = "hami.io/new-authority"
"""Annotation of the Secret by which an operator asks for a new authority; it is taken off again."""

_FIELDS = {"ca": "ca.crt", "ca_key": "ca.key", "certificate": "tls.crt", "key": "tls.key"}


class _Metadata(msgspec.Struct):
    resource_version: str = msgspec.field(name="resourceVersion", default="")
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


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
    """Keeps one Secret's identity good, for serving under ``names``.

    What it gave last it also remembers: when the Secret is deleted or damaged by hand, the same
    authority stays, so that nobody has to learn to trust another.
    """

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
        self._served: Identity | None = None

    async def identity(self) -> Identity:
        """What this replica serves with; made or renewed in the Secret when it must be.

        Replicas that find it missing at the same time race; the first to write wins, and the
        others take what it wrote. Under a new authority only those serve that have no good
        certificate of one which is still trusted: kube-schedulers read it once, when they start.
        Raises ApiError.
        """
        for _ in range(ATTEMPTS):
            try:
                kept = await self._attempt()
            except errors.Conflict:
                continue
            self._served = self._chosen(kept)
            return self._served
        raise errors.Conflict(409, f"secret {self._secret}: {ATTEMPTS} attempts in conflict")

    async def found(self) -> bool:
        """Is there a Secret? Raises ApiError."""
        try:
            await self._client.request("GET", paths.secret(self._namespace, self._secret))
        except errors.NotFound:
            return False
        return True

    def _chosen(self, kept: Identity) -> Identity:
        served = self._served
        if served is None or authority.same_authority(served, kept):
            return kept
        if authority.flaw(served, self._names, self._clock()) is not None:
            return kept
        return msgspec.structs.replace(served, ca=authority.ordered(served, kept.ca))

    async def _attempt(self) -> Identity:
        now = self._clock()
        path = paths.secret(self._namespace, self._secret)
        try:
            body = await self._client.request("GET", path)
        except errors.NotFound:
            made = self._made(None, "", now)
            where = paths.secrets(self._namespace)
            await self._client.request("POST", where, self._encode(made, _Metadata()))
            return made
        secret = msgspec.json.decode(body, type=_Secret)
        made = self._right(secret, now)
        if made != _decode(secret):
            await self._client.request("PUT", path, self._encode(made, secret.metadata))
        return made

    def _right(self, secret: _Secret, now: datetime) -> Identity:
        """What the Secret should hold."""
        kept = _decode(secret)
        if kept is None:
            return self._made(None, "", now)
        flaw = authority.flaw(kept, self._names, now)
        if flaw is not None:
            return self._made(kept, flaw, now)
        if NEW_AUTHORITY in (secret.metadata.annotations or {}):
            return authority.trusting(authority.create(self._names, now), kept.ca, now)
        if self._served is not None and not authority.trusts(kept.ca, self._served):
            return authority.trusting(kept, self._served.ca, now)
        return kept

    def _made(self, kept: Identity | None, flaw: str, now: datetime) -> Identity:
        if kept is not None and not flaw.startswith(authority.BEYOND_REPAIR):
            return authority.renew(kept, self._names, now)
        if self._served is not None:
            return authority.renew(self._served, self._names, now)
        return authority.create(self._names, now)

    def _encode(self, identity: Identity, before: _Metadata) -> bytes:
        data = {
            key: base64.b64encode(getattr(identity, field)).decode()
            for field, key in _FIELDS.items()
        }
        kept = {k: v for k, v in (before.annotations or {}).items() if k != NEW_AUTHORITY}
        metadata: dict[str, object] = {"name": self._secret, "namespace": self._namespace}
        metadata |= {"labels": before.labels or {}, "annotations": kept}
        if before.resource_version:
            metadata["resourceVersion"] = before.resource_version
        return msgspec.json.encode({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": metadata,
            "data": data,
        })


class Publisher:
    """Puts what is to be trusted into both webhook configurations of a name."""

    def __init__(self, client: Client, configuration: str) -> None:
        self._client = client
        self._configuration = configuration

    async def published(self) -> bytes:
        """What the API server trusts now, as far as it is there. Raises ApiError."""
        found = b""
        for path in paths.webhooks(self._configuration):
            try:
                body = await self._client.request("GET", path)
            except errors.NotFound:
                continue
            for each in msgspec.json.decode(body, type=_Configuration).webhooks or ():
                found = found or base64.b64decode(each.client_config.ca_bundle)
        return found

    async def publish(self, bundle: bytes) -> list[str]:
        """Gives the paths that do not exist. Raises ApiError."""
        missing = []
        for path in paths.webhooks(self._configuration):
            try:
                await self._publish(path, bundle)
            except errors.NotFound:
                missing.append(path)
        return missing

    async def _publish(self, path: str, bundle: bytes) -> None:
        body = await self._client.request("GET", path)
        wanted = base64.b64encode(bundle).decode()
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
