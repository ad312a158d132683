"""Commands in the documents are run, and print what stands below them (docs/README.md)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w.-]+\.yaml)\n")
LINES_OF_TABLES = re.compile(r"[│┃┏┓┗┛━┳┻┡┩╇└┘─┴┼├┤┌┐┬\s]+")

Command = tuple[str, list[str]]


def commands(text: str) -> list[Command]:
    """Each command with the lines that stand below it."""
    found: list[Command] = []
    for language, body in BLOCK.findall(text):
        if language != "console" or "$ " not in body:
            continue
        for line in body.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif line.strip():
                found[-1][1].append(line)
    return found


def files(text: str) -> dict[str, str]:
    """The files of a document."""
    bodies = [body for language, body in BLOCK.findall(text) if language == "yaml"]
    return {match[1]: body for body in bodies if (match := FILE.match(body))}


def one_line(text: str) -> str:
    """Without the lines of tables, and any space as one."""
    return LINES_OF_TABLES.sub(" ", text).strip()


def pattern(lines: list[str]) -> str:
    """The lines in this order, anything between."""
    parts = [part for line in lines for part in line.split("…")]
    return ".*".join(re.escape(one_line(part)) for part in parts if part.strip())


RUN = [path for path in DOCUMENTS if commands(path.read_text())]


def test_some_are_run() -> None:
    assert len(RUN) >= 3


@pytest.mark.parametrize("path", RUN, ids=lambda path: path.stem)
def test_commands_print_what_stands_below_them(path: Path, tmp_path: Path) -> None:
    text = path.read_text()
    for name, body in files(text).items():
        (tmp_path / name).write_text(body)
    for folder in ("hami_admission", "helm"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "COLUMNS": "1000", "PATH": f"{scripts}:{os.environ['PATH']}"}
    for command, lines in commands(text):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in {0, 1}, f"{command}: {done.stderr}"
        shown = one_line(done.stdout + done.stderr)
        assert re.search(pattern(lines), shown), f"{command}:\n{done.stdout}{done.stderr}"
