"""Three replicas while much is created: new certificates, and quotas that are all full."""

from __future__ import annotations

import asyncio
import base64
import secrets
import ssl
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from hami_admission.certificates import authority
from hami_admission.certificates.authority import Identity
from hami_admission.certificates.rotation import NEW_AUTHORITY
from tests.cluster.api import wait
from tests.cluster.kinds import KINDS
from tests.cluster.load import Load, admitted, unexcused
from tests.cluster.product import SERVER_NAME, a_quota, node_annotations, secret
from tests.cluster.test_quota import create, gpu_pod, shows
from tests.faults import invariants

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.cluster.api import Api
    from tests.cluster.replicas import Replica, Replicas

pytestmark = pytest.mark.alone

Json = dict[str, Any]
SECRET = KINDS["Secret"].path("hami-system", "hami-admission-tls")
FIELDS = {"ca": "ca.crt", "ca_key": "ca.key", "certificate": "tls.crt", "key": "tls.key"}


async def kept(api: Api) -> Identity:
    """What the Secret holds."""
    data = await secret(api)
    return Identity(**{field: base64.b64decode(data[key]) for field, key in FIELDS.items()})


async def near_its_end(api: Api) -> None:
    """The certificate as it would be after nine months: it is renewed as it always is."""
    now = datetime.now(UTC)
    begun = now - authority.LEAF_LIFE + authority.RENEW_BEFORE
    old = authority.renew(await kept(api), (SERVER_NAME, "127.0.0.1"), begun)
    data = {FIELDS[field]: getattr(old, field) for field in ("certificate", "key")}
    await api.patch(SECRET, {"data": {k: base64.b64encode(v).decode() for k, v in data.items()}})


async def deleted(api: Api) -> None:
    """By hand."""
    await api.delete(SECRET)


async def damaged(api: Api) -> None:
    """By hand."""
    await api.patch(SECRET, {"data": {"tls.crt": "bm9uc2Vuc2U="}})


def served(replica: Replica) -> bytes:
    """The certificate that a replica shows, as PEM."""
    host, _, port = replica.backend.rpartition(":")
    return ssl.get_server_certificate((host, int(port))).encode()


async def renewed(replicas: Replicas, api: Api, strike: Callable[[Api], Awaitable[None]]) -> None:
    """After the strike every replica serves the same new certificate, that of the Secret."""
    before = (await kept(api)).certificate
    await strike(api)

    async def same() -> bool:
        shown = {await asyncio.to_thread(served, each) for each in replicas.all}
        found = (await kept(api)).certificate
        return found != before and {each.strip() for each in shown} == {found.strip()}

    await wait(same, f"new certificate after {strike.__name__}", 15)


async def trusted(api: Api) -> list[bytes]:
    """The bundles of both webhook configurations."""
    kinds = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
    found = [await api.get(KINDS[kind].path(name="hami-admission")) for kind in kinds]
    return [base64.b64decode(each["webhooks"][0]["clientConfig"]["caBundle"]) for each in found]


async def new_authority(replicas: Replicas, api: Api) -> None:
    """Asked for, trusted beside the old one, served by each replica once it has started anew."""
    old = await kept(api)
    asked = {"metadata": {"annotations": {NEW_AUTHORITY: "please"}}}
    await api.patch(SECRET, asked)

    async def both() -> bool:
        made = await kept(api)
        bundles = await trusted(api)
        return not authority.same_authority(made, old) and all(
            authority.trusts(bundle, each) for bundle in bundles for each in (old, made)
        )

    await wait(both, "old and new authority trusted")
    for replica in replicas.all:
        await replica.restart(api)
        assert served(replica).strip() == (await kept(api)).certificate.strip()


@pytest.mark.pain(3)
async def test_five_new_certificates_under_fifty_creations_a_second(
    replicas: Replicas, api: Api, namespace: str
) -> None:
    """Renewed in time, put back, mended, under a new authority, and renewed under that."""
    await api.apply(a_quota(namespace, gpu=10_000))
    await shows(api, namespace, gpu=0)
    load = Load(api, namespace, gated=True)
    running = asyncio.create_task(load.run())
    await asyncio.sleep(1)
    for strike in (near_its_end, deleted, damaged):
        await renewed(replicas, api, strike)
    await new_authority(replicas, api)
    await renewed(replicas, api, near_its_end)
    load.over = True
    await running
    assert Counter(load.failures) == {}
    late = [*load.late, *load.unanswered]
    assert unexcused(late, replicas.product.plane.audit(), namespace) == []
    assert load.admitted == load.created - len(late)
    await shows(api, namespace, gpu=load.admitted, seconds=60)
    await placed(api, namespace)


async def placed(api: Api, namespace: str) -> None:
    """Kube-scheduler reaches its extender too."""
    await api.add_node("n1", annotations=node_annotations("n1", 1), extra={"nvidia.com/gpu": "10"})
    await create(api, gpu_pod(namespace, "last", memory=100))
    path = KINDS["Pod"].path(namespace, "last")

    async def bound() -> bool:
        return bool((await api.get(path))["spec"].get("nodeName"))

    await wait(bound, "placed", 30)


NAMESPACES, ATTEMPTS, ROOM = 100, 100, 60


@pytest.mark.timeout(400)
async def test_ten_thousand_creations_into_a_hundred_tight_namespaces(
    replicas: Replicas, api: Api, namespace: str
) -> None:
    """In each as many enter as there is room for: not one more, and not one fewer.

    There are no nodes, and six thousand pods that wait for one would be all that is measured.
    """
    for replica in replicas.all:
        assert replica.scheduler is not None
        replica.scheduler.kill()
    prefix = f"{namespace}-{secrets.token_hex(2)}"
    names = [f"{prefix}-{number}" for number in range(NAMESPACES)]
    await asyncio.gather(*(_namespace(api, name) for name in names))
    gate = asyncio.Semaphore(200)
    entered: Counter[str] = Counter()

    async def attempt(name: str, number: int) -> None:
        async with gate:
            enters = await admitted(api, gpu_pod(name, f"p-{number}", memory=1000))
            entered[name] += enters

    try:
        await asyncio.gather(
            *(attempt(name, number) for number in range(ATTEMPTS) for name in names)
        )
        assert entered == dict.fromkeys(names, ROOM)
        assert not invariants.wrong(await invariants.view(api))
        for name in names:
            await shows(api, name, gpu=ROOM, gpumem=ROOM * 1000)
    finally:
        await asyncio.gather(*(_cleared(api, name) for name in names))


async def _namespace(api: Api, name: str) -> None:
    await api.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
        a_quota(name, gpu=ROOM, gpumem=ROOM * 1000),
    )
    account = KINDS["ServiceAccount"].path(name, "default")
    await wait(lambda: api.get(account), f"default service account of {name}", 60)
    await shows(api, name, gpu=0, gpumem=0, seconds=60)


async def _cleared(api: Api, name: str) -> None:
    await api.delete(KINDS["Pod"].path(name), gracePeriodSeconds=0)
    await api.delete(KINDS["Namespace"].path(name=name))
