"""Documents name only what exists: files, annotations, settings, metrics, strikes."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from hami_admission.settings import NvidiaOptions, Settings
from tests.faults import strikes

ROOT = Path(__file__).parents[2]
IN_DOCS = sorted((ROOT / "docs").rglob("*.md"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *IN_DOCS]
CODE = "\n".join(
    path.read_text()
    for folder, kind in (("hami_admission", "*.py"), ("webhooks", "*.yaml"), ("tests", "*.py"))
    for path in sorted((ROOT / folder).rglob(kind))
)
QUOTED = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"(?:tests|docs|webhooks|certs|benchmarks|hami_admission|helm)/[\w./-]+[\w/]")
NAME = re.compile(r"(?:hami\.io|nvidia\.com|aws\.amazon\.com)/[a-z][\w.-]*\w")
METRIC = re.compile(r"(?:hami|hami_admission)_[a-z_]+[a-z]")
SETTING = re.compile(r"(?:nvidia\.)?[a-z]+(?:[A-Z]+[a-z]*)+")

LINK = re.compile(r"\[[^\]\n]+\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)

DERIVED = ("_total", "_bucket", "_count", "_sum")
"""What Prometheus puts behind the name of a metric."""


def quoted(path: Path) -> list[str]:
    """What stands in single back-quotes."""
    return QUOTED.findall(path.read_text())


def anchors(path: Path) -> set[str]:
    """How a document's headings are linked to: as GitHub does it."""
    headings = HEADING.findall(FENCED.sub("", path.read_text()))
    kept = (re.sub(r"[^\w\- ]", "", each.lower()) for each in headings)
    return {each.replace(" ", "-") for each in kept}


def links(path: Path) -> list[str]:
    """What a document links to within the tree."""
    found = LINK.findall(FENCED.sub("", path.read_text()))
    return [each for each in found if "://" not in each]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_a_file_and_a_heading(path: Path) -> None:
    for link in links(path):
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_anchors_are_those_of_the_headings() -> None:
    found = anchors(ROOT / "docs" / "serving" / "vllm.md")
    assert {"pitfalls", "what-you-see"} <= found
    assert "chatyaml" not in found


def test_every_document_is_in_the_list_and_linked_from_the_readme() -> None:
    listed = {(ROOT / "docs" / each).resolve() for each in links(ROOT / "docs" / "README.md")}
    told = {(ROOT / each).resolve() for each in links(ROOT / "README.md")}
    for path in ROOT.glob("*.md"):
        assert path.name == "README.md" or path in told, path.name
    for path in IN_DOCS:
        if path.name != "README.md":
            assert path.resolve() in listed, path.name
            assert path.resolve() in told, path.name


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_files_are_there(path: Path) -> None:
    named = {each for text in quoted(path) for each in FILE.findall(text)}
    assert {each for each in named if not (ROOT / each).exists()} == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_names_are_of_the_code(path: Path) -> None:
    named = {each for text in quoted(path) for each in NAME.findall(text)}
    assert {each for each in named if each not in CODE} == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_metrics_are_counted(path: Path) -> None:
    counted = {*re.findall(r'"(hami_[a-z_]+)"', CODE)}
    counted |= {f"hami_admission_{each}" for each in re.findall(r'\("([a-z_]+)", "', CODE)}
    counted |= {f"{each}{end}" for each in counted for end in DERIVED}
    named = {text for text in quoted(path) if METRIC.fullmatch(text)}
    assert named - counted <= {"hami_admission"}


def test_settings_of_the_table_exist() -> None:
    """The right column of the table in docs/migrating.md."""
    text = (ROOT / "docs" / "migrating.md").read_text().partition("## Settings")[2]
    right = [row.split("|")[2] for row in text.splitlines() if row.startswith("| ")]
    named = {each for cell in right for each in QUOTED.findall(cell) if SETTING.fullmatch(each)}
    own = {each.encode_name for each in msgspec.structs.fields(Settings)}
    own |= {f"nvidia.{each.encode_name}" for each in msgspec.structs.fields(NvidiaOptions)}
    assert len(named) > 10
    assert named <= own


def test_the_runbook_names_strikes_that_are() -> None:
    """And every strike stands in it: what is tried is told."""
    text = (ROOT / "docs" / "operations.md").read_text()
    rows = [row.split("|")[5] for row in text.splitlines() if row.startswith("| ")]
    named = {
        each
        for cell in rows
        if "fault suite" in cell
        for each in QUOTED.findall(cell.partition("fault suite")[2])
        if "/" not in each
    }
    assert named == {each.__name__ for each in strikes.ALL}
