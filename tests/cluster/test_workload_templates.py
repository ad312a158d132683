"""What the API server refuses in the template of a workload, before any pod comes to us."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import build
from tests.build import gpu
from tests.cluster.api import ApiFailure
from tests.cluster.kinds import KINDS

if TYPE_CHECKING:
    from tests.cluster.api import Api
    from tests.cluster.product import Product


async def test_requests_without_limits_are_refused_in_a_deployment_and_copied_in_a_pod(
    product: Product, api: Api, namespace: str
) -> None:
    """As ``check`` warns (hami_admission/simulate/workloads.py)."""
    assert product.process is not None
    container = build.container(requests=gpu(1, memory=2500))
    pod = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [container]}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "namespace": namespace},
        "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": pod},
    }
    with pytest.raises(ApiFailure, match="Limit must be set for non overcommitable") as refused:
        await api.create(KINDS["Deployment"].path(namespace), deployment)
    assert refused.value.status == 422

    created = await api.create(
        KINDS["Pod"].path(namespace),
        build.pod_json(container, name="a", namespace=namespace),
    )
    limits = created["spec"]["containers"][0]["resources"]["limits"]
    assert limits == {"nvidia.com/gpu": "1", "nvidia.com/gpumem": "2500"}
