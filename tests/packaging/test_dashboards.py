"""Dashboards can be imported anywhere, explain themselves, and name only metrics that there are."""

from __future__ import annotations

import re

import pytest

from tests.packaging import promql
from tests.packaging.promql import BOARDS, Json

DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
UNITS = {"short", "bytes", "s", "reqps", "ops", "percent", "percentunit"}
"""Grafana's names of those that are used."""

board = pytest.mark.parametrize("of", [*map(promql.board, BOARDS)], ids=[p.stem for p in BOARDS])


def test_the_three_are_there_under_different_names() -> None:
    assert [path.stem for path in BOARDS] == ["control", "hami-compatible", "nodes"]
    uids = [promql.board(path)["uid"] for path in BOARDS]
    assert len({*uids}) == 3
    assert all(re.fullmatch(r"hami-admission-[a-z]+", each) for each in uids)


@board
def test_a_dashboard_asks_the_data_source_that_the_reader_chooses(of: Json) -> None:
    first, *others = of["templating"]["list"]
    assert (first["name"], first["type"]) == ("datasource", "datasource")
    assert all(each["datasource"] == DATA_SOURCE for each in others)
    for panel in promql.panels(of):
        assert panel["datasource"] == DATA_SOURCE
        assert all(target["datasource"] == DATA_SOURCE for target in panel["targets"])
    assert "://" not in str(of)


@board
def test_a_panel_has_a_unit_a_description_and_a_place_of_its_own(of: Json) -> None:
    ids = [each["id"] for each in of["panels"]]
    taken: set[tuple[int, int]] = set()
    assert len({*ids}) == len(ids)
    for panel in promql.panels(of):
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


@board
def test_queries_name_metrics_and_variables_that_there_are(of: Json) -> None:
    variables = {each["name"] for each in of["templating"]["list"]} | {"__rate_interval"}
    for query in promql.queries(of):
        found = promql.named(query.text)
        assert found, query
        assert found <= promql.known() | promql.OF_PROMETHEUS, query
        assert {*re.findall(r"\$(\w+)", query.text)} <= variables, query


@board
def test_what_every_replica_tells_is_not_added_up(of: Json) -> None:
    """Each control replica shows the whole cluster: a plain sum would be a multiple."""
    whole = r"sum(?: by \([^)]*\))? ?\((?:hami_gpu|hami_node_gpu|hami_resource_quota)"
    for query in promql.queries(of):
        assert not re.search(whole, query.text), query


def test_the_compatible_one_has_upstreams_names_alone() -> None:
    of = promql.board(next(path for path in BOARDS if path.stem == "hami-compatible"))
    found = {name for query in promql.queries(of) for name in promql.named(query.text)}
    assert len(found) > 10
    assert not {name for name in found if not name.startswith("hami_")}
    assert not {name for name in found if name.startswith("hami_admission_")}
