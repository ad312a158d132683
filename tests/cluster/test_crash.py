"""Our process ends without a word at the worst moments; after a restart all is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.kinds import KINDS
from tests.cluster.moments import MOMENTS, Moment, between, create, is_bound, shows, survives
from tests.cluster.product import a_quota, node_annotations

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.api import Api
    from tests.cluster.product import Product


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
async def test_killed_at_the_worst_moment(
    product: Product, api: Api, namespace: str, tmp_path: Path, moment: Moment
) -> None:
    async with between(product, api, tmp_path) as rig:
        await rig.start()
        await survives(rig, api, namespace, moment)


@pytest.mark.pain(7)
async def test_pods_that_ended_while_we_were_down_are_given_back(
    product: Product, api: Api, namespace: str
) -> None:
    one_card = node_annotations("node-1", 1)
    await api.add_node("node-1", annotations=one_card, extra={"nvidia.com/gpu": "10"})
    await api.apply(a_quota(namespace, gpu=2, gpumem=81920))
    await shows(api, namespace, 0)
    for name in ("first", "second"):
        assert await create(api, namespace, name)
        await is_bound(api, namespace, name)
    product.kill()
    await api.delete(KINDS["Pod"].path(namespace, "first"), gracePeriodSeconds=0)
    status = {"status": {"phase": "Succeeded"}}
    await api.patch(f"{KINDS['Pod'].path(namespace, 'second')}/status", status)
    await product.start()
    await shows(api, namespace, 0)
    for name in ("third", "fourth"):
        assert await create(api, namespace, name)
        await is_bound(api, namespace, name)
