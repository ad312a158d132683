"""Our process between two proxies, and the worst moments at which it may end."""

from __future__ import annotations

import base64
import ssl
from collections import Counter
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from hami_admission.wire import grants
from tests import build
from tests.cluster.api import Api, ApiFailure, wait
from tests.cluster.kinds import KINDS
from tests.cluster.product import (
    ADDRESS,
    SETTINGS,
    a_quota,
    charged,
    node_annotations,
    secret,
)
from tests.cluster.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
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
    host: str = HIDDEN
    settings: str = SETTINGS

    async def start(self, env: Mapping[str, str] | None = None) -> None:
        """Start our process behind the proxies; `env` may have it be another version."""
        await self.product.start(
            host=self.host, kubeconfig=self.kubeconfig, env=env, told=self.settings
        )


@asynccontextmanager
async def between(product: Product, api: Api, folder: Path) -> AsyncIterator[Rig]:
    """A proxy before the product and one behind it; nothing is started."""
    product.kill()
    # Who was killed gives back no Lease: the first process would lead ten seconds later.
    with suppress(ApiFailure):
        await api.delete(KINDS["Lease"].path("hami-system", "hami-admission"))
    data = await secret(api)
    inward, outward = Proxy(f"https://{HIDDEN}:443"), Proxy(product.plane.url)
    await inward.start(ADDRESS, 443, _serving(data, folder))
    await outward.start("127.100.0.12", 8001)
    text = product.plane.kubeconfig("control").read_text()
    file = folder / "kubeconfig"
    file.write_text(text.replace(product.plane.url, "http://127.100.0.12:8001"))
    try:
        yield Rig(product, inward, outward, file)
    finally:
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


async def survives(
    rig: Rig, api: Api, namespace: str, moment: Moment, env: Mapping[str, str] | None = None
) -> None:
    """Killed at that moment and started anew, as the version of `env`: all is right."""
    audit = rig.product.plane.audit(from_now=True)
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

    created = await create(api, namespace, "first")

    assert created == moment.created

    async def struck() -> bool:
        return proxy.struck

    await wait(struck, "the moment")
    await rig.start(env)
    if not created:
        # What was charged for a pod that never came to be is given back by itself.
        await shows(api, namespace, 0)
        assert await create(api, namespace, "first")
    (first,) = await is_bound(api, namespace, "first")
    assert await create(api, namespace, "second")
    (second,) = await is_bound(api, namespace, "second")
    assert first.uuid == second.uuid == "GPU-node-1-0"
    await shows(api, namespace, 2)
    assert not await create(api, namespace, "third")
    bound = audit.requests(verb="create", subresource="binding", namespace=namespace)
    counts = Counter(
        each["objectRef"]["name"] for each in bound if each["responseStatus"]["code"] == 201
    )
    assert counts == {"first": 1, "second": 1}


async def create(api: Api, namespace: str, name: str) -> bool:
    """Was a pod of that name created?"""
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
