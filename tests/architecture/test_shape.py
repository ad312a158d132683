"""The shape that layout and review agreed on, measured on the source itself."""

from __future__ import annotations

import ast
import re
from functools import cache
from itertools import combinations
from pathlib import Path

import hami_admission

ROOT = Path(hami_admission.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py") if not path.stem.endswith("_pb2"))
EDGES = {"agent", "kube", "control", "certificates", "cli", "examine.py", "__main__.py"}
FAMILY = re.compile(
    r"nvidia|neuron|hygon|\bdcu|cambricon|\bmlu|iluvatar|mthreads|\bamd\b|vastai|biren|kunlun|baidu"
    r"|volcano|ascend(?!ing)|enflame|metax",
    re.IGNORECASE,
)
KNOW_A_FAMILY = {
    "vendors/amd.py",
    "vendors/ascend.py",
    "vendors/biren.py",
    "vendors/cambricon.py",
    "vendors/enflame.py",
    "vendors/hygon.py",
    "vendors/iluvatar.py",
    "vendors/kunlun.py",
    "vendors/metax.py",
    "vendors/mthreads.py",
    "vendors/neuron.py",
    "vendors/nvidia.py",
    "vendors/vastai.py",
    "vendors/volcano.py",
    "vendors/table.py",
    "wire/keys.py",
    "options.py",
    "settings.py",
    "agent/nvml.py",
}
FAMILIES = sorted(
    ROOT / each
    for each in KNOW_A_FAMILY
    if each.startswith("vendors/") and each != "vendors/table.py"
)
Function = ast.FunctionDef | ast.AsyncFunctionDef


def name(path: Path) -> str:
    """The path within the package."""
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    """A file."""
    return ast.parse(path.read_text())


@cache
def functions(path: Path) -> tuple[Function, ...]:
    """All functions of a file."""
    return tuple(each for each in ast.walk(parsed(path)) if isinstance(each, Function))


def test_files_and_functions_stay_short() -> None:
    code = [path for path in FILES if name(path) != "wire/keys.py"]  # that is a list of names
    long_files = [name(path) for path in code if len(path.read_text().splitlines()) > 400]
    long_functions = [
        f"{name(path)}:{each.name}"
        for path in FILES
        for each in functions(path)
        if (each.end_lineno or 0) - each.lineno >= 60
    ]
    assert (long_files, long_functions) == ([], [])


def test_decisions_are_synchronous() -> None:
    found = [
        f"{name(path)}:{each.name}"
        for path in FILES
        if name(path).split("/")[0] not in EDGES
        for each in functions(path)
        if isinstance(each, ast.AsyncFunctionDef)
    ]
    assert found == []


def test_no_module_keeps_a_mutable_value_under_a_variable_name() -> None:
    found = [
        f"{name(path)}:{ast.unparse(each.targets[0])}"
        for path in FILES
        for each in parsed(path).body
        if isinstance(each, ast.Assign)
        and isinstance(each.value, ast.List | ast.Dict | ast.Set)
        and not ast.unparse(each.targets[0]).lstrip("_").isupper()
    ]
    assert found == []


def test_everything_public_says_what_it_is() -> None:
    found = []
    for path in FILES:
        tree = parsed(path)
        defined = [tree, *(each for each in tree.body if isinstance(each, Function | ast.ClassDef))]
        found += [
            f"{name(path)}:{getattr(each, 'name', 'module')}"
            for each in defined
            if not getattr(each, "name", "").startswith("_") and not ast.get_docstring(each)
        ]
    assert found == []


def test_only_its_own_files_know_a_familys_name() -> None:
    found = [
        name(path)
        for path in FILES
        if not name(path).startswith(("simulate/", "node/"))
        and name(path) not in KNOW_A_FAMILY
        and FAMILY.search(path.read_text())
    ]
    assert found == []


def test_the_families_stay_short_together() -> None:
    assert sum(len(path.read_text().splitlines()) for path in FAMILIES) <= 2000


def test_no_two_families_say_the_same_in_six_lines() -> None:
    found = {}
    for path in FAMILIES:
        lines = path.read_text().splitlines()
        imports = {
            number
            for each in ast.walk(parsed(path))
            if isinstance(each, ast.Import | ast.ImportFrom)
            for number in range(each.lineno, (each.end_lineno or each.lineno) + 1)
        }
        said = [
            line.strip()
            for number, line in enumerate(lines, 1)
            if line.strip() and number not in imports
        ]
        found[path.stem] = {tuple(said[n : n + 6]) for n in range(len(said) - 5)}
    equal = {
        f"{one} and {other}: {run[0]}"
        for one, other in combinations(found, 2)
        for run in found[one] & found[other]
    }
    assert equal == set()
