"""Whatever a file holds: a scenario or BadInput."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from hami_admission.settings import Settings
from hami_admission.simulate import run, scenario
from hami_admission.simulate.errors import BadInput
from tests import strategies

KINDS = ("Pod", "Deployment", "Job", "CronJob", "DaemonSet", "List", "Node", "ResourceQuota")
FIELDS = ("kind", "metadata", "name", "namespace", "spec", "template", "containers", "items")
values = strategies.json_of((*FIELDS, "resources", "limits", "nvidia.com/gpu"))
documents = st.fixed_dictionaries(
    {"kind": st.sampled_from(KINDS), "metadata": st.just({"name": "x"}) | values, "spec": values},
    optional={"items": st.lists(values, max_size=2)},
)


@given(st.lists(values | documents, max_size=3))
def test_any_documents(found: list[object]) -> None:
    with suppress(BadInput):
        made = scenario.build([("f", each) for each in found], templates_only=True)
        assert len(run.check(made, Settings())) == len(made.steps)
