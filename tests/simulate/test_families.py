"""The families of docs/adding-a-vendor.md, which are settings alone, from its files to cards."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
import yaml
from click.testing import CliRunner

from hami_admission import options
from hami_admission.cli import main

if TYPE_CHECKING:
    from click.testing import Result

    from tests.build import Json

DOCUMENT = Path(__file__).parents[2] / "docs" / "adding-a-vendor.md"
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SETTINGS, CLUSTER = BLOCK.findall(DOCUMENT.read_text())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With both files of the document."""
    (tmp_path / "settings.yaml").write_text(SETTINGS)
    (tmp_path / "cluster.yaml").write_text(CLUSTER)
    return tmp_path


def ran(command: str, folder: Path) -> Result:
    """With the files of the document."""
    files = ["--config", str(folder / "settings.yaml"), str(folder / "cluster.yaml")]
    return CliRunner().invoke(main, [command, *files, "-o", "json"])


@pytest.fixture
def pods(folder: Path) -> dict[str, Json]:
    """What became of them, by name."""
    found = ran("simulate", folder)
    assert found.exit_code == 1, found.output
    return {each["name"]: each for each in json.loads(found.stdout)["pods"]}


def test_a_share_of_a_card_that_its_node_lists(pods: dict[str, Json]) -> None:
    """64 units are 16,384 MiB; the card is the one that the pod wants."""
    shared = pods["shared"]
    assert shared["verdict"] == "admitted"
    assert shared["schedulerName"] == "hami-scheduler"
    assert shared["placement"]["node"] == "n1"
    notes = shared["placement"]["annotations"]
    assert notes["hami.io/vgpu-node"] == "n1"
    assert notes["hami.io/Acme-devices-allocated"] == "X1-b,Acme,16384,25:;"
    assert notes["hami.io/Acme-devices-to-allocate"] == "X1-b,Acme,16384,25:;"


def test_a_whole_card_of_which_its_node_says_nothing(pods: dict[str, Json]) -> None:
    notes = pods["whole"]["placement"]["annotations"]
    assert notes["hami.io/AcmeMini-devices-allocated"] == "n1-AcmeMini-0,AcmeMini,16384,100:;"


def test_the_quota_counts_in_the_units_of_users(pods: dict[str, Json]) -> None:
    denied = pods["too-much"]
    assert denied["verdict"] == "denied"
    assert denied["message"] == (
        "exceeded quota: team, requested: limits.acme.example/npu-memory=128,"
        " used: limits.acme.example/npu-memory=64, limited: limits.acme.example/npu-memory=150"
    )


def test_check_knows_them_too(folder: Path) -> None:
    found = json.loads(ran("check", folder).stdout)["pods"]
    assert {each["name"]: each["verdict"] for each in found} == {
        "shared": "admitted", "whole": "admitted", "too-much": "admitted",
    }  # fmt: skip


def test_a_mistake_of_a_pod_is_told_in_the_familys_words(folder: Path) -> None:
    text = CLUSTER.replace("acme.example/npu-memory: 64", "acme.example/npu-memory: 8Gi", 1)
    (folder / "cluster.yaml").write_text(text)
    found = {each["name"]: each for each in json.loads(ran("check", folder).stdout)["pods"]}
    assert found["shared"]["verdict"] == "denied"
    assert "the unit is 256 MiB already" in found["shared"]["message"]
    assert "for 8Gi bytes write 32" in found["shared"]["message"]


def test_without_the_settings_nobody_knows_them(folder: Path) -> None:
    (folder / "settings.yaml").write_text("{}")
    found = json.loads(ran("check", folder).stdout)["pods"]
    assert {each["verdict"] for each in found} == {"untouched"}


def test_every_field_is_in_the_document() -> None:
    table = DOCUMENT.read_text().partition("| Field | Says | Not given |")[2].partition("\n\n")[0]
    named = {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row)}
    known = {
        field.encode_name
        for form in (options.Family, options.CardSize)
        for field in msgspec.structs.fields(form)
    }
    assert known <= named


def test_the_families_of_the_document_differ_where_families_can() -> None:
    first, second = yaml.safe_load(SETTINGS)["families"]
    assert {first["word"], second["word"]} == {"Acme", "AcmeMini"}
    assert "register" in first
    assert "card" in second
