"""The release is killed with something in its hands and started anew as this tree; or the other
way round."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

import hami_admission
from tests.cluster.churn import version
from tests.cluster.conftest import WITHOUT_KUBELET
from tests.cluster.kinds import KINDS
from tests.cluster.moments import MOMENTS, Moment, between, survives
from tests.cluster.product import SETTINGS
from tests.packaging import released

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.cluster.api import Api
    from tests.cluster.processes import Process
    from tests.cluster.product import Product

TREE: dict[str, str] = {}

STRUCK = {
    "just admitted": Moment(True, "POST", "/validate", "after", created=True),
    **{name: MOMENTS[name] for name in ("after the charge", "after filter", "before the Binding")},
}
"""Those of which something is left for who comes after."""

QUICK = SETTINGS.replace("holdSeconds: 10", "holdSeconds: 5")


@pytest.fixture(scope="module")
def hasty() -> Iterator[list[Process]]:
    """Kube-schedulers that ask again after a second and not after thirty; none is left."""
    made: list[Process] = []
    yield made
    for each in made:
        each.stop()


@pytest_asyncio.fixture
async def product(installed: Product, hasty: list[Process], api: Api) -> AsyncIterator[Product]:
    """The product with such a kube-scheduler; its process need not run."""
    if installed.scheduler not in hasty:
        await installed.ensure(api)
        assert installed.scheduler is not None
        installed.scheduler.stop()
        await installed.start_scheduler(api, podInitialBackoffSeconds=1)
        hasty.append(installed.scheduler)
    yield installed
    await api.delete(KINDS["Node"].path(), labelSelector=WITHOUT_KUBELET)


@pytest.mark.parametrize("way", ["upgrade", "rollback"])
@pytest.mark.parametrize("moment", STRUCK.values(), ids=STRUCK)
async def test_killed_mid_way_and_started_anew_as_the_other(
    product: Product,
    api: Api,
    namespace: str,
    tmp_path: Path,
    moment: Moment,
    way: str,
) -> None:
    """What the one has charged and booked, and not done yet, the other brings to its end."""
    one, other = released.environment(), TREE
    if way == "rollback":
        one, other = other, one
    async with between(product, api, tmp_path) as rig:
        rig = rig._replace(settings=QUICK)
        await rig.start(one)
        before = await version(rig.host)
        await survives(rig, api, namespace, moment, other)
        assert [before, await version(rig.host)] == [
            hami_admission.__version__ if env is TREE else released.VERSION for env in (one, other)
        ]
