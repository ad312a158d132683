"""The Secret and the webhook configurations on the real API server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest_asyncio

from hami_admission.certificates import authority
from hami_admission.certificates.rotation import Keeper
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


def keeper(client: Client, namespace: str, now: datetime | None = None) -> Keeper:
    """A keeper whose clock stands still."""
    at = now or datetime.now(UTC)
    return Keeper(client, namespace=namespace, secret="tls", names=NAMES, clock=lambda: at)


async def test_made_once_shared_and_renewed(client: Client, namespace: str) -> None:
    first = await keeper(client, namespace).identity()
    assert authority.flaw(first, NAMES, datetime.now(UTC)) is None
    assert await keeper(client, namespace).identity() == first
    later = datetime.now(UTC) + authority.LEAF_LIFE - authority.RENEW_BEFORE
    renewed = await keeper(client, namespace, later).identity()
    assert renewed.ca == first.ca
    assert renewed.certificate != first.certificate
    assert authority.flaw(renewed, NAMES, later + timedelta(days=200)) is None


async def test_deleted_or_damaged_is_made_anew(client: Client, api: Api, namespace: str) -> None:
    first = await keeper(client, namespace).identity()
    path = KINDS["Secret"].path(namespace, "tls")
    await api.patch(path, {"data": {"tls.crt": "bm9uc2Vuc2U="}})
    second = await keeper(client, namespace).identity()
    assert second.ca != first.ca
    await api.delete(path)
    third = await keeper(client, namespace).identity()
    assert third.ca not in {first.ca, second.ca}


async def test_the_authority_is_put_into_both_configurations(
    client: Client, api: Api, namespace: str
) -> None:
    kept = keeper(client, namespace)
    identity = await kept.identity()
    assert len(await kept.publish(identity, namespace)) == 2
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
    assert await kept.publish(identity, namespace) == []
    for kind in kinds:
        path = KINDS[kind].path(name=namespace)
        before = await api.get(path)
        assert before["webhooks"][0]["clientConfig"]["caBundle"]
        assert await kept.publish(identity, namespace) == []
        assert (await api.get(path))["metadata"]["resourceVersion"] == before["metadata"][
            "resourceVersion"
        ]
    for kind in kinds:
        await api.delete(KINDS[kind].path(name=namespace))
