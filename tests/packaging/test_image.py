"""The Dockerfile and what images are made of; built they are in tests/cluster/test_image.py."""

from __future__ import annotations

import io
import re
import tarfile
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.cluster import images
from tests.packaging import debian
from tests.packaging.image import BASES, ROOT, TARGETS, sources

Json = dict[str, Any]

PIN = re.compile(r"^([\w.-]+)==([^\s\\]+)", re.MULTILINE)
INSTRUCTIONS = [
    (keyword, value)
    for line in re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text()).splitlines()
    if line and not line.startswith("#")
    for keyword, _, value in (line.partition(" "),)
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def said(keyword: str) -> list[str]:
    """The values of all instructions of a kind."""
    return [value for each, value in INSTRUCTIONS if each == keyword]


def entry(path: str, content: bytes, time: int) -> dict[str, debian.Entry]:
    """A file as a package has it."""
    info = tarfile.TarInfo(path)
    info.size, info.mtime, info.uid, info.uname = len(content), time, 1000, "somebody"
    return {path: debian.Entry(info, content)}


def test_there_is_one_entry_point_and_both_targets_run_it() -> None:
    assert said("ENTRYPOINT") == ['["/opt/hami/bin/hami-admission"]']
    assert said("CMD") == [f'["{target}"]' for target in TARGETS]
    stages = [value.partition(" AS ")[2] for value in said("FROM")]
    assert stages[-2:] == list(TARGETS)
    assert said("HEALTHCHECK") == []


def test_every_base_is_an_argument_that_the_tests_can_make() -> None:
    defaults = dict(value.split("=", 1) for value in said("ARG") if "=" in value)
    bases = {value.split()[0] for value in said("FROM") if value.startswith("$")}
    assert bases == {f"${{{name}}}" for name in BASES}
    assert all(":" in defaults[name] and ":latest" not in defaults[name] for name in BASES)


def test_control_is_nobody_and_the_agent_root() -> None:
    assert said("USER") == ["0:0", "65532:65532"]
    users = [value for keyword, value in INSTRUCTIONS if keyword in {"USER", "CMD"}]
    assert users == ["0:0", "65532:65532", '["control"]', '["agent"]']


def test_the_builder_is_given_no_more_than_it_copies() -> None:
    copied = {
        word.partition("/")[0]
        for value in said("COPY")
        if not value.startswith("--from")
        for word in value.split()[:-1]
    }
    assert copied == set(sources()) - {"Dockerfile", ".dockerignore"}


@pytest.mark.parametrize("target", TARGETS)
def test_what_an_extra_asks_for_is_pinned_with_a_hash(target: str) -> None:
    text = (ROOT / "requirements" / f"{target}.txt").read_text()
    pins = {name.lower(): version for name, version in PIN.findall(text)}
    asked = map(Requirement, PROJECT["dependencies"] + PROJECT["optional-dependencies"][target])
    unmet = [
        str(each) for each in asked if not each.specifier.contains(pins.get(each.name.lower(), "0"))
    ]
    assert unmet == []
    assert text.count("==") == sum("--hash=" in part for part in re.split(PIN, text))


def test_a_layer_depends_on_names_and_content_alone() -> None:
    one = entry("b", b"2", 7) | entry("a", b"1", 8)
    same = entry("a", b"1", 1) | entry("b", b"2", 2)
    made = debian.layer(one)
    assert made == debian.layer(same) != debian.layer(entry("a", b"1", 8))
    with tarfile.open(fileobj=io.BytesIO(made)) as tar:
        shown = [(each.name, each.mtime, each.uid, each.uname) for each in tar]
    assert shown == [("a", 0, 0, ""), ("b", 0, 0, "")]
    assert images.packed("n", made, {}) == images.packed("n", debian.layer(same), {})
