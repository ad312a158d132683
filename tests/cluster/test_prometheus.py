"""Alerts and dashboards on a real Prometheus, which reads the running control process."""

from __future__ import annotations

import asyncio
import json
import subprocess
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio
import yaml

from hami_admission.agent.pages import Pages
from hami_admission.metrics import agent
from hami_admission.metrics import node as of_node
from hami_admission.node import region, usage
from tests.cluster import binaries
from tests.cluster.api import Api, wait
from tests.cluster.kinds import KINDS
from tests.cluster.processes import free_port
from tests.cluster.product import ADDRESS, node_annotations
from tests.cluster.test_quota import create, gpu_pod, known
from tests.metrics.test_node import FACTS, OWNER, UUID
from tests.node import regions
from tests.node.regions import GIB, NOW
from tests.packaging import promql
from tests.packaging.test_alerts import CASES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from prometheus_client.core import Metric

    from tests.cluster.product import Product
    from tests.packaging.promql import Query

Json = dict[str, Any]

VARIABLES = {"$__rate_interval": "10s", "$node": ".*", "$namespace": ".*"}

WITHOUT_DATA = {
    "Waiting pods by reason",
    "Longest wait",
    "Sick cards, and why",
    "Cards given out beyond what there is",
    "MIG instances",
    "Answers that are errors",
    "Requests that the API server did not grant",
}
"""What a cluster in which nothing is wrong has nothing to show of."""


def promtool(*arguments: str | Path) -> str:
    """Its word; raises CalledProcessError."""
    tool = binaries.ensure(binaries.PROMETHEUS) / "promtool"
    command = [tool, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """The cases with what an alert says besides its summary, so that promtool compares all."""
    rules = {rule["alert"]: rule for rule in promql.rules()}
    made = yaml.safe_load(CASES.read_text())
    made["rule_files"] = [str(promql.ALERTS)]
    for case in made["tests"]:
        for each in case["alert_rule_test"]:
            rule = rules[each["alertname"]]
            for expected in each.get("exp_alerts", []):
                expected["exp_labels"] |= rule["labels"]
                expected["exp_annotations"] = rule["annotations"] | expected["exp_annotations"]
    path = tmp_path / "cases.yaml"
    path.write_text(yaml.safe_dump(made))
    return path


def test_the_rules_are_rules() -> None:
    assert f"{len(promql.rules())} rules found" in promtool("check", "rules", promql.ALERTS)


def test_every_alert_fires_when_it_should_and_not_before(cases: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", cases)


class Prometheus:
    """One that scrapes every second."""

    def __init__(self, product: Product, agent_port: int) -> None:
        self.port = free_port()
        jobs = {
            "hami-admission": f"{ADDRESS}:9395",
            "hami-admission-agent": f"127.0.0.1:{agent_port}",
        }
        folder = product.plane.folder / "data"
        config = folder / "prometheus.yaml"
        scrapes = [
            {"job_name": job, "honor_labels": True, "static_configs": [{"targets": [target]}]}
            for job, target in jobs.items()
        ]
        config.write_text(
            json.dumps({
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(promql.ALERTS)],
                "scrape_configs": scrapes,
            })
        )
        argv: list[str | Path] = [
            binaries.ensure(binaries.PROMETHEUS) / "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / f'prometheus-{self.port}'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        self.process = product.plane.run_process("prometheus", argv)

    async def get(self, path: str, **query: str) -> Json:
        """The data of an answer; what is wrong with a question is told."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}"
        async with aiohttp.ClientSession() as session, session.get(url, params=query) as answer:
            found: Json = await answer.json()
            assert found["status"] == "success", (query, found)
            return dict(found["data"])

    async def ready(self) -> None:
        """Wait until both jobs were scraped."""

        async def ask() -> bool:
            assert self.process.running, self.process.tail()
            try:
                up = await self.get("query", query="sum(up)")
            except aiohttp.ClientError:
                return False
            return bool(up["result"]) and up["result"][0]["value"][1] == "2"

        await wait(ask, "both jobs scraped")


def a_node() -> usage.Table:
    """A container that has something of its limit on the card."""
    made = regions.new(cards=(UUID,), last_kernel_time=NOW - 42)
    regions.join(made, 1, host_pid=4711, data=2 * GIB, sm=20)
    found = region.read(regions.file(made))
    assert found is not None
    return usage.rows({"f": found}, {"f": OWNER}, (FACTS,), now=NOW)


def families() -> Iterator[Metric]:
    """The pages of an agent that has started one container."""
    counts = {"registrations": 1.0, "allocations": 1.0, "answer_seconds": 0.01}
    yield from agent.families(agent.AgentView(counts, {UUID: ""}, 0))
    yield from of_node.families(a_node(), "n")


@pytest_asyncio.fixture
async def prometheus(product: Product, api: Api, namespace: str) -> AsyncIterator[Prometheus]:
    """It sees one pod come to its card."""
    pages = Pages(families, list)
    made = Prometheus(product, await pages.start("127.0.0.1", 0))
    try:
        await made.ready()
        notes = node_annotations("n", 1, uuid=UUID)
        await api.add_node("n", annotations=notes, extra={"nvidia.com/gpu": "10"})
        await known(product, api, namespace, gpumem=10000)
        await create(api, gpu_pod(namespace, memory=8192))

        async def bound() -> bool:
            pod = await api.get(KINDS["Pod"].path(namespace, "p"))
            return bool(pod["spec"].get("nodeName"))

        await wait(bound, "pod bound")
        yield made
    finally:
        await asyncio.to_thread(made.process.stop)
        await pages.stop()


def asked() -> list[Query]:
    """The queries of all dashboards, with their variables filled in."""
    found = []
    for path in promql.BOARDS:
        for query in promql.queries(promql.board(path)):
            text = query.text
            for name, value in VARIABLES.items():
                text = text.replace(name, value)
            found.append(query._replace(text=text))
    return found


async def test_every_query_of_the_dashboards_has_an_answer(prometheus: Prometheus) -> None:
    async def empty() -> set[str]:
        return {
            query.where
            for query in asked()
            if not (await prometheus.get("query", query=query.text))["result"]
        }

    expected = {query.where for query in asked() if query.where.partition(": ")[2] in WITHOUT_DATA}

    async def as_expected() -> bool:
        return not await empty() - expected

    try:
        await wait(as_expected, "data for all others")
    except AssertionError:
        raise AssertionError(sorted(await empty() - expected)) from None


async def test_every_alert_is_evaluated_and_none_of_a_placement_that_went_well(
    prometheus: Prometheus,
) -> None:
    async def rules() -> list[Json]:
        groups = (await prometheus.get("rules"))["groups"]
        return [rule for group in groups for rule in group["rules"]]

    async def evaluated() -> bool:
        return all(rule["health"] != "unknown" for rule in await rules())

    await wait(evaluated, "all rules evaluated")
    found = await rules()
    assert {rule["name"] for rule in found} == {rule["alert"] for rule in promql.rules()}
    assert [(rule["name"], rule["lastError"]) for rule in found if rule["health"] != "ok"] == []

    async def quiet() -> bool:
        """None waits for its time either; before the first scrape one did."""
        return not any(rule["alerts"] for rule in await rules())

    await wait(quiet, "no alert is pending")
