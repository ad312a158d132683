"""The Secret and the webhook configurations on the real API server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest_asyncio

from hami_admission.certificates import authority
from hami_admission.certificates.rotation import NEW_AUTHORITY, Keeper, Publisher
from hami_admission.kube import client as clients
from tests.cluster.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hami_admission.kube.client import Client
    from tests.cluster.api import Api
    from tests.cluster.control_plane import ControlPlane

NAMES = ("hami-admission.test.svc", "127.0.0.1")


@pytest_asyncio.fixture
async def client(control_plane: ControlPlane) -> AsyncIterator[Client]:
    """Our client, with all rights."""
    made = await clients.connect(str(control_plane.kubeconfig("admin")))
    yield made
    await made.close()


class Clock:
    """Stands still unless it is set."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


def keeper(client: Client, namespace: str, clock: Clock | None = None) -> Keeper:
    """Another replica's keeper of the same Secret."""
    return Keeper(client, namespace=namespace, secret="tls", names=NAMES, clock=clock or Clock())


async def test_made_once_shared_and_renewed(client: Client, namespace: str) -> None:
    first = await keeper(client, namespace).identity()
    assert authority.flaw(first, NAMES, datetime.now(UTC)) is None
    assert await keeper(client, namespace).identity() == first
    later = datetime.now(UTC) + authority.LEAF_LIFE - authority.RENEW_BEFORE
    renewed = await keeper(client, namespace, Clock(later)).identity()
    assert renewed.ca == first.ca
    assert renewed.certificate != first.certificate
    assert authority.flaw(renewed, NAMES, later + timedelta(days=200)) is None


async def test_deleted_or_damaged_the_authority_stays_while_somebody_serves_with_it(
    client: Client, api: Api, namespace: str
) -> None:
    kept = keeper(client, namespace)
    first = await kept.identity()
    path = KINDS["Secret"].path(namespace, "tls")
    for key in ("tls.crt", "tls.key", "ca.crt", "ca.key"):
        await api.patch(path, {"data": {key: "bm9uc2Vuc2U="}})
        second = await kept.identity()
        assert second.certificate != first.certificate
        assert second.ca == first.ca
        assert await keeper(client, namespace).identity() == second
    await api.delete(path)
    third = await kept.identity()
    assert (third.ca, await keeper(client, namespace).identity()) == (first.ca, third)
    # Nobody remembers it: a new one.
    await api.delete(path)
    assert (await keeper(client, namespace).identity()).ca != first.ca


async def test_a_new_authority_beside_the_old_until_each_has_started_anew(
    client: Client, api: Api, namespace: str
) -> None:
    clock = Clock()
    running = keeper(client, namespace, clock)
    first = await running.identity()
    path = KINDS["Secret"].path(namespace, "tls")
    asked = {NEW_AUTHORITY: "please", "of": "another"}
    await api.patch(path, {"metadata": {"annotations": asked, "labels": {"a": "b"}}})
    second = await running.identity()
    assert second.certificate == first.certificate
    assert second.ca.startswith(first.ca)
    started = await keeper(client, namespace).identity()
    assert not authority.same_authority(started, first)
    assert authority.trusts(started.ca, first)
    assert authority.trusts(second.ca, started)
    metadata = (await api.get(path))["metadata"]
    assert (metadata["annotations"], metadata["labels"]) == ({"of": "another"}, {"a": "b"})
    # The old one is not good any more: over to the new.
    clock.now += authority.LEAF_LIFE - authority.RENEW_BEFORE
    assert authority.same_authority(await running.identity(), started)


async def test_an_authority_that_somebody_replaced_is_trusted_beside_ours(
    client: Client, api: Api, namespace: str
) -> None:
    running = keeper(client, namespace)
    first = await running.identity()
    await api.delete(KINDS["Secret"].path(namespace, "tls"))
    other = await keeper(client, namespace).identity()
    assert not authority.same_authority(other, first)
    mine = await running.identity()
    assert mine.certificate == first.certificate
    theirs = await keeper(client, namespace).identity()
    assert theirs.certificate == other.certificate
    for bundle in (mine.ca, theirs.ca):
        assert authority.trusts(bundle, first)
        assert authority.trusts(bundle, other)


async def test_the_authority_is_put_into_both_configurations(
    client: Client, api: Api, namespace: str
) -> None:
    publisher = Publisher(client, namespace)
    bundle = (await keeper(client, namespace).identity()).ca
    assert len(await publisher.publish(bundle)) == 2
    assert await publisher.published() == b""
    kinds = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
    for kind in kinds:
        await api.apply({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": namespace},
            "webhooks": [
                {
                    "name": "test.hami.io",
                    "clientConfig": {"url": "https://127.0.0.1:1/"},
                    "admissionReviewVersions": ["v1"],
                    "sideEffects": "None",
                }
            ],
        })
    assert await publisher.publish(bundle) == []
    for kind in kinds:
        path = KINDS[kind].path(name=namespace)
        before = await api.get(path)
        assert before["webhooks"][0]["clientConfig"]["caBundle"]
        assert await publisher.publish(bundle) == []
        assert (await api.get(path))["metadata"]["resourceVersion"] == before["metadata"][
            "resourceVersion"
        ]
    for kind in kinds:
        await api.delete(KINDS[kind].path(name=namespace))
