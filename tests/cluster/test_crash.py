"""Our process ends without a word at the worst moments; after a restart all is right."""

from __future__ import annotations

import base64
import ssl
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import pytest_asyncio

from hami_admission.wire import grants
from tests import build
from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.kinds import KINDS
from tests.cluster.product import ADDRESS, a_quota, charged, node_annotations, secret
from tests.cluster.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from hami_admission.model.grant import Grant
    from tests.cluster.product import Product
    from tests.cluster.proxy import When

HIDDEN = "127.100.0.11"
"""Where our process listens while the proxy stands at its address."""


class Moment(NamedTuple):
    """A request to strike at: ``inward`` to us, else from us to the API server."""

    inward: bool
    method: str
    ending: str
    when: When
    created: bool


MOMENTS = {
    "after mutate": Moment(True, "POST", "/mutate", "after", created=False),
    "after the charge": Moment(False, "PATCH", "/resourcequotas/quota/status", "after", False),
    "after filter": Moment(True, "POST", "/filter", "after", created=True),
    "before the Binding": Moment(False, "POST", "/binding", "before", created=True),
    "after the Binding": Moment(False, "POST", "/binding", "after", created=True),
}


class Rig(NamedTuple):
    """Our process between two proxies."""

    product: Product
    inward: Proxy
    outward: Proxy
    kubeconfig: Path

    async def start(self) -> None:
        """Start our process behind the proxies."""
        await self.product.start(host=HIDDEN, kubeconfig=self.kubeconfig)


@pytest_asyncio.fixture
async def rig(product: Product, api: Api, tmp_path: Path) -> AsyncIterator[Rig]:
    """The product with a proxy before it and one behind it."""
    product.kill()
    data = await secret(api)
    inward, outward = Proxy(f"https://{HIDDEN}:443"), Proxy(product.plane.url)
    await inward.start(ADDRESS, 443, _serving(data, tmp_path))
    await outward.start("127.100.0.12", 8001)
    text = product.plane.kubeconfig("control").read_text()
    file = tmp_path / "kubeconfig"
    file.write_text(text.replace(product.plane.url, "http://127.100.0.12:8001"))
    made = Rig(product, inward, outward, file)
    await made.start()
    yield made
    product.kill()
    await inward.stop()
    await outward.stop()


def _serving(data: dict[str, str], folder: Path) -> ssl.SSLContext:
    for name in ("tls.crt", "tls.key"):
        (folder / name).write_bytes(base64.b64decode(data[name]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return context


def a_pod(namespace: str, name: str) -> dict[str, Any]:
    """Half of a card."""
    container = build.container(limits=build.gpu(1, memory=40960, cores=50))
    return build.pod_json(container, name=name, namespace=namespace)


async def is_bound(api: Api, namespace: str, name: str) -> list[Grant]:
    """The cards of a pod once it is bound."""

    async def ask() -> list[Grant]:
        pod = await api.get(KINDS["Pod"].path(namespace, name))
        if not pod["spec"].get("nodeName"):
            return []
        notes = pod["metadata"]["annotations"]
        return [g for slot in grants.decode(notes["hami.io/vgpu-devices-allocated"]) for g in slot]

    return await wait(ask, f"{name} bound", 40)


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
async def test_killed_at_the_worst_moment(
    rig: Rig, api: Api, namespace: str, moment: Moment
) -> None:
    one_card = node_annotations("node-1", 1)
    await api.add_node("node-1", annotations=one_card, extra={"nvidia.com/gpu": "10"})
    await api.apply(a_quota(namespace, gpu=2, gpumem=81920))
    await shows(api, namespace, 0)
    proxy = rig.inward if moment.inward else rig.outward
    proxy.arm(
        lambda method, path: method == moment.method and path.endswith(moment.ending),
        moment.when,
        rig.product.kill,
    )

    created = await _create(api, namespace, "first")

    assert created == moment.created

    async def struck() -> bool:
        return proxy.struck

    await wait(struck, "the moment")
    await rig.start()
    if not created:
        # What was charged for a pod that never came to be is given back by itself.
        await shows(api, namespace, 0)
        assert await _create(api, namespace, "first")
    (first,) = await is_bound(api, namespace, "first")
    assert await _create(api, namespace, "second")
    (second,) = await is_bound(api, namespace, "second")
    assert first.uuid == second.uuid == "GPU-node-1-0"
    await shows(api, namespace, 2)
    assert not await _create(api, namespace, "third")


async def _create(api: Api, namespace: str, name: str) -> bool:
    try:
        await api.create(KINDS["Pod"].path(namespace), a_pod(namespace, name))
    except ApiFailure:
        return False
    return True


async def shows(api: Api, namespace: str, pods: int) -> None:
    """Wait until the quota shows that many of the pods above."""

    async def ask() -> bool:
        quota = await api.get(KINDS["ResourceQuota"].path(namespace, "quota"))
        return charged(quota) == {"gpu": pods, "gpumem": pods * 40960}

    await wait(ask, f"the quota shows {pods} pods", 30)


@pytest.mark.pain(7)
async def test_pods_that_ended_while_we_were_down_are_given_back(
    product: Product, api: Api, namespace: str
) -> None:
    one_card = node_annotations("node-1", 1)
    await api.add_node("node-1", annotations=one_card, extra={"nvidia.com/gpu": "10"})
    await api.apply(a_quota(namespace, gpu=2, gpumem=81920))
    await shows(api, namespace, 0)
    for name in ("first", "second"):
        assert await _create(api, namespace, name)
        await is_bound(api, namespace, name)
    product.kill()
    await api.delete(KINDS["Pod"].path(namespace, "first"), gracePeriodSeconds=0)
    status = {"status": {"phase": "Succeeded"}}
    await api.patch(f"{KINDS['Pod'].path(namespace, 'second')}/status", status)
    await product.start()
    await shows(api, namespace, 0)
    for name in ("third", "fourth"):
        assert await _create(api, namespace, name)
        await is_bound(api, namespace, name)
