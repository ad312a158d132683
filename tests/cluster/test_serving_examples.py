"""The values files of helm/examples on a real control plane: charged and bound as promised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from hami_admission.wire import grants
from tests.cluster.product import a_quota
from tests.cluster.test_serving_charts import asks, bound, check_charge, expected_pods
from tests.serving.test_examples import CHARTS, EXPECTED, JOINED, files, linked, name

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.api import Api
    from tests.cluster.product import Product

Json = dict[str, Any]


def quota(path: Path, namespace: str) -> Json:
    """The one beside the values file, or one with room."""
    beside = path.with_name(f"{path.stem}.resourcequota.yaml")
    if not beside.exists():
        return a_quota(namespace, gpu=100, gpumem=1_000_000, gpucores=10_000)
    found: Json = yaml.safe_load(beside.read_text())
    found["metadata"] = {"name": "quota", "namespace": namespace}
    return found


def rendered(path: Path, namespace: str) -> list[Json]:
    """The Deployments of a values file, in that namespace and with an image each."""
    documents = CHARTS[path.parent.name](yaml.safe_load(path.read_text()))
    for each in documents:
        each["metadata"]["namespace"] = namespace
        for container in each["spec"]["template"]["spec"]["containers"]:
            container.setdefault("image", "example.org/image:1")
    return documents


@pytest.mark.parametrize("path", files(), ids=name)
async def test_an_example_is_bound_with_the_cards_that_it_promises(
    product: Product, api: Api, namespace: str, path: Path
) -> None:
    assert product.process is not None
    for node in ("node-1", "node-2"):
        await api.add_node(node, annotations=linked(node), extra={"nvidia.com/gpu": "80"})
    await api.apply(quota(path, namespace))
    documents = rendered(path, namespace)
    await api.apply(*documents)

    pods = await bound(api, namespace, expected_pods(documents))

    ours = [pod for pod in pods if asks(pod)]
    slots = [[grant for slot in grants.decode(allocated(pod)) for grant in slot] for pod in ours]
    found = [[(grant.memory_mib, grant.cores) for grant in each] for each in slots]
    assert sorted(found) == sorted(EXPECTED[name(path)][1])
    if any("hami.io/gpu-topology" in pod["metadata"]["annotations"] for pod in ours):
        assert name(path) in JOINED
        assert {grant.uuid.rpartition("-")[2] for each in slots for grant in each} == {"2", "3"}
    await check_charge(api, namespace, ours)


def allocated(pod: Json) -> str:
    """The cards that the Binding brought."""
    text: str = pod["metadata"]["annotations"]["hami.io/vgpu-devices-allocated"]
    return text
