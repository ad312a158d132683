"""What a release repeats is equal everywhere; the chart is compared in test_render.py."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.version import Version

import hami_admission
from tests import yamls
from tests.packaging import released

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


def test_the_changelog_begins_with_what_is_unreleased_then_what_was_released_last() -> None:
    headings = re.findall(r"^## \[?([^\]\s]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert headings[1] in {released.VERSION, hami_admission.__version__}


def test_the_version_is_another_than_that_of_the_release() -> None:
    """Both are on one node while it is upgraded: their images have names of their own."""
    assert Version(hami_admission.__version__) > Version(released.VERSION)


def test_the_release_is_what_its_commit_says_and_not_the_tree() -> None:
    words = ["-c", "import hami_admission as it; print(it.__file__, it.__version__)"]
    done = subprocess.run(
        [sys.executable, *words], env={**os.environ, **released.environment()}, cwd=ROOT,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    file, version = done.stdout.split()
    assert version == released.VERSION
    assert Path(file) == released.tree() / "hami_admission" / "__init__.py"


def test_a_clone_without_the_commit_says_what_to_do() -> None:
    with pytest.raises(released.MissingCommit, match="git fetch --unshallow"):
        released.archive("0" * 40)


def test_hooks_before_a_commit_are_the_linters_of_make_test() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\nchecks: ")[2].partition("\n\n")[0]
    commands = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()[1:]]
    linters = [each for each in commands if "pytest" not in each and "coverage" not in each]
    hooks = yamls.load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert [each["entry"] for each in hooks] == linters
