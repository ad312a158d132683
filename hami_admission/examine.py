"""Looks at a cluster for ``doctor``: asks the API server, changes nothing, decides nothing."""

from __future__ import annotations

import asyncio
import base64
import binascii
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
import yaml

from hami_admission.certificates import reading
from hami_admission.control import trials
from hami_admission.doctor import objects
from hami_admission.doctor.reach import SECRET
from hami_admission.doctor.replicas import LEASES, fresh
from hami_admission.doctor.seen import Certificate, Observed, Seen, Trial
from hami_admission.doctor.webhooks import NAME, ours
from hami_admission.kube import client as clients
from hami_admission.kube import errors, paths
from hami_admission.wire import pods
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from hami_admission.kube.client import Client
    from hami_admission.model.pod import Pod
    from hami_admission.settings import Settings

T = TypeVar("T")

PAGE = "500"
"""Objects per answer: a node with many images is 50 kB."""

_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_CONFIGURATION = "KubeSchedulerConfiguration"


class _Continued(msgspec.Struct):
    resume: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct, Generic[T]):
    items: list[T]
    metadata: _Continued = msgspec.field(default_factory=_Continued)


class _Data(msgspec.Struct, kw_only=True):
    metadata: objects.Metadata = objects.Metadata()
    data: dict[str, str] | None = None


async def observe(
    kubeconfig: str | None, namespace: str, trial_namespace: str, settings: Settings
) -> Observed:
    """All looks, at the same time; raises NoConfiguration, or ApiError when nobody answers."""
    client = await clients.connect(kubeconfig)
    try:
        eyes = _Eyes(client, namespace)
        await client.request("GET", "/version")
        return await _all(eyes, trial_namespace, settings)
    finally:
        await client.close()


async def _all(eyes: _Eyes, trial_namespace: str, settings: Settings) -> Observed:
    async with asyncio.TaskGroup() as group:
        # The names are those of Observed's fields.
        tasks: dict[str, asyncio.Task[Any]] = {
            name: group.create_task(look)
            for name, look in {
                "version": eyes.one("/version", objects.Version),
                "mutating": eyes.many(paths.WEBHOOKS[0], objects.Configuration),
                "validating": eyes.many(paths.WEBHOOKS[1], objects.Configuration),
                "trial": eyes.trial(trial_namespace, settings),
                "reviews": eyes.reviews(),
                "api_servers": eyes.one(
                    paths.endpoint_slice("default", "kubernetes"), objects.Slice
                ),
                "policies": eyes.many(f"{_ADMISSION}/validatingadmissionpolicies", objects.Policy),
                "bindings": eyes.many(
                    f"{_ADMISSION}/validatingadmissionpolicybindings", objects.Binding
                ),
                "deployments": eyes.many("/apis/apps/v1/deployments", objects.Workload),
                "daemons": eyes.many("/apis/apps/v1/daemonsets", objects.Workload),
                "schedulers": eyes.schedulers(),
                "nodes": eyes.many(paths.NODES, objects.Node),
                "quotas": eyes.many(paths.QUOTAS, objects.Quota),
                "pods": eyes.many(paths.PODS, objects.Pod, "status.phase=Pending"),
                "placed": eyes.placed(settings.scheduler_name),
                "runtime_classes": eyes.many(
                    "/apis/node.k8s.io/v1/runtimeclasses", objects.RuntimeClass
                ),
                "leases": eyes.leases(),
                "secret": eyes.one(paths.secret(eyes.namespace, SECRET), _Data),
            }.items()
        }
    found = {name: task.result() for name, task in tasks.items()}
    secret = found.pop("secret")
    observed = Observed(now=datetime.now(UTC), settings=settings, namespace=eyes.namespace, **found)
    certificate, trusted = _certificate(secret, observed)
    renewed = await eyes.renewals(observed)
    return replace(observed, certificate=certificate, trusted=trusted, renewed=renewed)


class _Eyes:
    """Requests of one caller; what it may not see is said in the look."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self.namespace = namespace

    async def one(self, path: str, form: type[T]) -> Seen[T]:
        """One object."""
        try:
            body = await self._client.request("GET", path)
            return Seen(msgspec.json.decode(body, type=form))
        except (errors.ApiError, msgspec.DecodeError, RecursionError) as error:
            return _closed(error)

    async def many(self, path: str, form: type[T], fields: str = "") -> Seen[list[T]]:
        """All objects of a collection, page by page."""
        try:
            return Seen([each async for page in self._pages(path, form, fields) for each in page])
        except (errors.ApiError, msgspec.DecodeError, RecursionError) as error:
            return _closed(error)

    async def placed(self, scheduler: str) -> Seen[list[Pod]]:
        """Pods of that scheduler that have a node."""
        pages = self._pages(paths.PODS, pods.WirePod, f"spec.schedulerName={scheduler}")
        try:
            found = [_noun(each) async for page in pages for each in page]
        except (errors.ApiError, msgspec.DecodeError, RecursionError) as error:
            return _closed(error)
        return Seen([pod for pod in found if pod is not None and pod.node_name])

    async def _pages(self, path: str, form: type[T], fields: str) -> AsyncIterator[list[T]]:
        query = {"limit": PAGE} | ({"fieldSelector": fields} if fields else {})
        decoder = msgspec.json.Decoder(_List[form])  # type: ignore[valid-type]
        while True:
            page = decoder.decode(await self._client.request("GET", path, query=query))
            yield page.items
            if not page.metadata.resume:
                return
            query["continue"] = page.metadata.resume

    async def leases(self) -> dict[str, Seen[objects.Lease]]:
        """Those that somebody should hold."""
        return {
            name: await self.one(paths.lease(self.namespace, name), objects.Lease)
            for name in LEASES
        }

    async def renewals(self, observed: Observed) -> frozenset[str]:
        """Of the Leases that look old: which are renewed while we wait for as long as they last?

        That tells a dead holder from a clock that is wrong.
        """
        old = {
            name: seen.value
            for name, seen in observed.leases.items()
            if seen.value is not None
            and seen.value.spec.holder_identity
            and not fresh(observed, seen.value)
        }
        renewed: set[str] = set()
        longest = max((each.spec.lease_duration_seconds or 0 for each in old.values()), default=0)
        for _ in range(min(longest, 30)):
            await asyncio.sleep(1)
            for name in old.keys() - renewed:
                again = await self.one(paths.lease(self.namespace, name), objects.Lease)
                if again.value is not None and again.value.turn != old[name].turn:
                    renewed.add(name)
            if renewed == old.keys():
                break
        return frozenset(renewed)

    async def schedulers(self) -> Seen[list[objects.Scheduler]]:
        """The configurations of kube-schedulers that stand in ConfigMaps of our namespace."""
        seen = await self.many(paths.config_maps(self.namespace), _Data)
        if seen.value is None:
            return Seen(why=seen.why, absent=seen.absent)
        found = [
            _scheduler(f"{each.metadata.namespace}/{each.metadata.name}", text)
            for each in seen.value
            for text in (each.data or {}).values()
            if _CONFIGURATION in text
        ]
        return Seen([each for each in found if each is not None])

    async def reviews(self) -> Seen[objects.Reviews]:
        """Who may send reviews, by the settings in our ConfigMap."""
        seen = await self.one(paths.config_map(self.namespace, NAME), _Data)
        if seen.value is None:
            return Seen(why=seen.why, absent=seen.absent)
        try:
            loaded = yaml.safe_load((seen.value.data or {}).get("settings.yaml", "{}"))
            return Seen(msgspec.convert(loaded, objects.Reviews))
        except (yaml.YAMLError, msgspec.ValidationError, RecursionError) as error:
            return Seen(why=f"settings.yaml of the ConfigMap: {error}")

    async def trial(self, namespace: str, settings: Settings) -> Seen[Trial]:
        """A pod that asks for a card, created as a dry run: nothing stays of it."""
        try:
            answer = await self._client.request(
                "POST",
                paths.pods(namespace),
                msgspec.json.encode(trials.pod(settings)),
                query={"dryRun": "All"},
            )
            return Seen(
                Trial(namespace=namespace, pod=msgspec.json.decode(answer, type=objects.Pod))
            )
        except errors.ApiError as error:
            return Seen(Trial(namespace=namespace, status=error.status, refusal=error.message))
        except msgspec.DecodeError as error:
            return _closed(error)


def _closed(error: Exception) -> Seen[Any]:
    if isinstance(error, errors.ApiError) and error.status in {401, 403}:
        return Seen(why=f"may not look: {error.message}")
    return Seen(why=str(error), absent=isinstance(error, errors.NotFound))


def _noun(wire: pods.WirePod) -> Pod | None:
    """One that cannot be read is passed over, as control does."""
    try:
        return pods.build(wire)
    except Malformed:
        return None


def _scheduler(place: str, text: str) -> objects.Scheduler | None:
    try:
        loaded = yaml.safe_load(text)
        found = msgspec.convert(loaded, objects.Scheduler)
    except (yaml.YAMLError, msgspec.ValidationError, RecursionError):
        return None
    return msgspec.structs.replace(found, place=place)


def _certificate(
    secret: Seen[_Data], observed: Observed
) -> tuple[Seen[Certificate], frozenset[str]]:
    """The serving certificate of the Secret (its key is not decoded), and who trusts it."""
    if secret.value is None:
        return Seen(why=secret.why, absent=secret.absent), frozenset()
    try:
        chain = base64.b64decode((secret.value.data or {})["tls.crt"])
        said = reading.read(chain)
    except (KeyError, ValueError) as error:
        return Seen(why=f"tls.crt is no certificate: {error}"), frozenset()
    bundles = _bundles((observed.mutating, observed.validating))
    trusted = frozenset(each for each in bundles if reading.trusted(chain, _plain(each)))
    return Seen(Certificate(begins=said.begins, ends=said.ends, names=said.names)), trusted


def _bundles(looks: Sequence[Seen[list[objects.Configuration]]]) -> set[str]:
    configurations = [ours(seen) for seen in looks]
    return {
        hook.client_config.ca_bundle
        for each in configurations
        if each is not None
        for hook in each.webhooks or ()
    }


def _plain(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return b""
