"""``hami-admission doctor`` on the real API server: what is well, and each fault by its name."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest_asyncio

from hami_admission.certificates import authority
from tests import build
from tests.cluster.api import wait
from tests.cluster.kinds import KINDS
from tests.cluster.product import a_quota, manifests, node_annotations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.cluster.api import Api
    from tests.cluster.control_plane import ControlPlane
    from tests.cluster.product import Product

Finding = dict[str, str]
MUTATING = KINDS["MutatingWebhookConfiguration"].path(name="hami-admission")
POLICY = KINDS["ValidatingAdmissionPolicy"].path(name="hami-admission")


class Doctor:
    """Runs it as an identity; gives its exit code and what it found."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self._plane = plane
        self._namespace = namespace

    async def __call__(self, identity: str = "admin") -> tuple[int, list[Finding]]:
        where = ["--kubeconfig", str(self._plane.kubeconfig(identity)), "-o", "json"]
        command = [sys.executable, "-m", "hami_admission", "doctor", *where]
        command += ["--trial-namespace", self._namespace]
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)["findings"]

    async def finds(self, check: str, words: str) -> bool:
        """Does it name this as a problem?"""
        code, findings = await self()
        found = [each for each in findings if each["check"] == check and words in each["found"]]
        return code == 1 and any(each["level"] == "problem" for each in found)


@pytest_asyncio.fixture
async def doctor(product: Product, api: Api, namespace: str) -> AsyncIterator[Doctor]:
    """With one node that offers cards; at the end the product is as it was."""
    await api.add_node("n1", annotations=node_annotations("n1"), extra={"nvidia.com/gpu": "80"})
    asking = build.pod_json(build.container(limits=build.gpu(1)), name="try", namespace=namespace)

    async def served() -> bool:
        return bool(await api.create(KINDS["Pod"].path(namespace), asking, dryRun="All"))

    yield Doctor(product.plane, namespace)
    for each in (*manifests("policy.yaml"), *manifests("mutating.yaml")):
        # Only what is gone: to apply what is there takes its caBundle away, and the API server
        # may learn of that when the next test has begun.
        names = [found["metadata"]["name"] for found in await api.list(KINDS[each["kind"]].path())]
        if each["metadata"]["name"] not in names:
            await api.apply(each)
    await product.ensure(api)
    # The caBundle, which the manifest does not have, is put in by our process within seconds.
    await wait(served, "as it was")


def of_level(findings: list[Finding], level: str) -> list[Finding]:
    """Those of one level."""
    return [each for each in findings if each["level"] == level]


async def test_a_healthy_cluster_has_no_problem(doctor: Doctor, api: Api, namespace: str) -> None:
    path = KINDS["Pod"].path(namespace)
    before = await api.list(path)
    code, findings = await doctor()
    assert (code, of_level(findings, "problem")) == (0, [])
    good = {each["check"] for each in of_level(findings, "ok")}
    wanted = {"api server", "webhooks", "certificate", "trial", "policies", "leases", "nodes"}
    assert wanted | {"quotas", "HAMi", "device plugins", "waiting pods"} <= good
    assert await api.list(path) == before


async def test_who_may_not_look_is_told_so(doctor: Doctor) -> None:
    """Who edits what is in namespaces sees neither nodes nor webhooks nor policies."""
    code, findings = await doctor("user")
    assert (code, of_level(findings, "problem")) == (0, [])
    closed = {each["check"] for each in of_level(findings, "unknown") if "may not" in each["found"]}
    assert {"webhooks", "policies", "nodes", "HAMi"} <= closed
    assert not closed & {each["check"] for each in of_level(findings, "ok")}


async def test_a_policy_that_was_deleted(doctor: Doctor, api: Api) -> None:
    await api.delete(POLICY)
    await wait(lambda: doctor.finds("policies", "not there: accelerator pods"), "policy missed")


async def test_webhooks_that_were_deleted(doctor: Doctor, api: Api) -> None:
    await api.delete(MUTATING)
    await wait(lambda: doctor.finds("webhooks", "not there"), "configuration missed")
    await wait(lambda: doctor.finds("trial", "refused by the policy"), "the trial sees it")


async def test_a_bundle_of_somebody_else(doctor: Doctor, api: Api) -> None:
    """Our process mends it within seconds, so it is broken again and again beside the looks."""
    other = authority.create(("other",), datetime.now(UTC)).ca
    bundle = base64.b64encode(other).decode()
    patch = [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": bundle}]

    async def break_it() -> None:
        while True:
            await api.patch(MUTATING, patch, "application/json-patch+json")
            await asyncio.sleep(0.1)

    breaking = asyncio.create_task(break_it())
    try:
        about = "its caBundle is not of the authority"
        await wait(lambda: doctor.finds("certificate", about), "named", 40)
        await wait(lambda: doctor.finds("trial", "x509"), "the trial sees it", 40)
    finally:
        breaking.cancel()
        await asyncio.gather(breaking, return_exceptions=True)


async def test_a_process_that_was_killed(doctor: Doctor, product: Product) -> None:
    product.kill()
    assert await doctor.finds("trial", 'failed calling webhook "mutate.hami.io"')
    # Its Lease runs out after ten seconds.
    await wait(lambda: doctor.finds("leases", "nobody gives quota back"), "the Lease is old")


async def test_nodes_quotas_and_rivals(doctor: Doctor, api: Api, namespace: str) -> None:
    await api.add_node("n2", annotations={"hami.io/node-nvidia-register": "[{"})
    await api.add_node("n3", extra={"nvidia.com/gpu": "8"})
    quota = a_quota(namespace, gpu=8)
    quota["spec"]["hard"] |= {"pods": "5", "requests.nvidia.com/gpumem": "10"}
    await api.apply(quota)
    code, findings = await doctor()
    assert code == 1
    said = {(each["lookedAt"], each["level"]): each for each in findings}
    assert "register annotation" in said["node n2", "problem"]["found"]
    assert "nobody registered its cards" in said["node n3", "problem"]["found"]
    mine = [each for each in findings if each["lookedAt"].endswith(f"{namespace}/quota")]
    texts = " ".join(each["found"] for each in mine)
    assert "requests.nvidia.com/gpumem: " in texts
    assert "holds pods beside accelerators" in texts


async def test_what_waits_and_who_is_in_the_way(doctor: Doctor, api: Api, namespace: str) -> None:
    """A DaemonSet of another plugin for nodes that register with us."""
    template: dict[str, Any] = {
        "metadata": {"labels": {"app": "rival"}},
        "spec": {"containers": [{"name": "p", "image": "example/k8s-device-plugin:1"}]},
    }
    await api.apply({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "rival", "namespace": namespace},
        "spec": {"selector": {"matchLabels": {"app": "rival"}}, "template": template},
    })
    await wait(lambda: doctor.finds("device plugins", "too, on n1"), "the rival is named")
    hook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [
            {
                "name": "vgpu.hami.io",
                "clientConfig": {"url": "https://127.0.0.1:1/"},
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Ignore",
            }
        ],
    }
    await api.apply(hook)
    try:
        assert await doctor.finds("HAMi", "HAMi's webhook")
    finally:
        await api.delete(KINDS["MutatingWebhookConfiguration"].path(name=namespace))
