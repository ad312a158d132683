"""What a release repeats is equal everywhere; the chart is compared in test_render.py."""

from __future__ import annotations

import re
from pathlib import Path

import hami_admission
from tests import yamls

ROOT = Path(__file__).parents[2]
OWN_IMAGE = re.compile(r"hami-admission(?:-agent)?:(\d[\w.-]*)")


def test_the_manifests_without_helm_name_the_version() -> None:
    images = yamls.load((ROOT / "webhooks" / "kustomization.yaml").read_text())["images"]
    own = {each["name"]: each["newTag"] for each in images if "/" not in each["name"]}
    version = hami_admission.__version__
    assert own == {"hami-admission": version, "hami-admission-agent": version}


def test_documents_name_no_image_of_another_version() -> None:
    paths = [
        ROOT / "README.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "webhooks").glob("*.yaml"),
    ]
    found = {tag for path in paths for tag in OWN_IMAGE.findall(path.read_text())}
    assert found == {hami_admission.__version__}


def test_the_changelog_begins_with_what_is_unreleased_then_the_version() -> None:
    headings = re.findall(r"^## \[?([^\]\s]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[:2] == ["Unreleased", hami_admission.__version__]


def test_hooks_before_a_commit_are_the_linters_of_make_test() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\nchecks: ")[2].partition("\n\n")[0]
    commands = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()[1:]]
    linters = [each for each in commands if "pytest" not in each and "coverage" not in each]
    hooks = yamls.load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert [each["entry"] for each in hooks] == linters
