"""What is built installs into an empty environment, and runs there with base dependencies alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

import hami_admission
from hami_admission.cli import main
from tests.once import once

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "hami_admission" / "simulate" / "examples"

POD = """
apiVersion: v1
kind: Pod
metadata: {name: chat, namespace: team-a}
spec:
  containers:
    - name: main
      image: example
      resources: {limits: {nvidia.com/gpu: 1, nvidia.com/gpumem: 2000}}
"""


def run(*command: str | Path, cwd: Path) -> str:
    """What a command prints; a failure shows all of it."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel that is built from it.

    Of a copy: setuptools reads a list of files that an earlier build left in the tree, which
    would hide that one is no longer packed.
    """
    tree = tmp_path_factory.mktemp("tree")

    def build(out: Path) -> None:
        for each in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / each, tree)
        shutil.copytree(ROOT / "hami_admission", tree / "hami_admission")
        run(sys.executable, "-m", "build", "--outdir", out, tree, cwd=out)

    return once(tmp_path_factory, "dist", build)


@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_it_installs_and_runs_in_an_empty_environment(
    kind: str, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (package,) = built.glob(kind)
    # The pip that is here installs there: an environment takes seconds to get one of its own.
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
    there = (sys.executable, "-m", "pip", "--python", tmp_path / "venv/bin/python")
    run(*there, "install", "--quiet", "--no-compile", package, cwd=tmp_path)
    own = tmp_path / "venv/bin/hami-admission"
    assert run(own, "version", cwd=tmp_path) == f"{hami_admission.__version__}\n"
    (tmp_path / "pod.yaml").write_text(POD)
    monkeypatch.chdir(tmp_path)
    for command in (["demo"], ["check", "pod.yaml"], ["simulate", "pod.yaml"]):
        here = CliRunner().invoke(main, command)
        assert here.exit_code == 0
        assert run(own, *command, cwd=tmp_path) == here.stdout
    assert "--snapshot" in run(own, "explain", "--help", cwd=tmp_path)


def test_the_source_distribution_holds_what_a_builder_needs(built: Path) -> None:
    (package,) = built.glob("*.tar.gz")
    with tarfile.open(package) as archive:
        held = {each.partition("/")[2] for each in archive.getnames()}
    examples = {each.relative_to(ROOT).as_posix() for each in EXAMPLE.glob("*.yaml")}
    assert examples
    assert {"LICENSE", "README.md", "pyproject.toml", *examples} <= held
