"""The pod of a trial, put through the real admission: right when it was rewritten, only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from hami_admission.cli import main
from hami_admission.control import trials
from hami_admission.settings import NvidiaOptions, Settings
from tests import build
from tests.admission.test_admit import patched

if TYPE_CHECKING:
    from tests.build import Json

OTHER_NAMES = {
    "scheduler_name": "cards",
    "nvidia": NvidiaOptions(resource_count_name="example.com/card"),
}


@pytest.mark.parametrize("given", [{}, OTHER_NAMES], ids=["as shipped", "with other names"])
def test_a_rewritten_pod_has_no_flaws(given: Json) -> None:
    settings = Settings(**given)
    asked = trials.pod(settings)
    asked["metadata"] |= {"name": "try", "namespace": "default"}
    assert trials.flaws(patched(asked, **given), settings) == []


def test_one_that_was_passed_over_is_told_by_scheduler_and_environment() -> None:
    asked = trials.pod(Settings())
    scheduler, environment = trials.flaws(asked, Settings())
    assert "hami-scheduler: the mutating webhook was passed over" in scheduler
    assert "hami.io/env-" in environment


def test_a_pod_that_only_names_the_scheduler_is_not_taken_for_rewritten() -> None:
    pod = build.pod_json(build.container(env=[{"name": "A", "value": "b"}]))
    pod["spec"]["schedulerName"] = "hami-scheduler"
    assert len(trials.flaws(pod, Settings())) == 1


@pytest.mark.parametrize("words", [["try"], ["authority", "--file", "ca.crt"]])
def test_outside_of_a_pod_a_kubeconfig_is_asked_for(words: list[str]) -> None:
    found = CliRunner().invoke(main, words)
    assert (found.exit_code, found.stderr) == (
        2,
        "hami-admission: not in a pod, and no --kubeconfig\n",
    )
