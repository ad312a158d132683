"""The help teaches by example: every example is taken, and fits a narrow terminal."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from hami_admission.cli import main
from hami_admission.cli.completion import VARIABLE

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = "hami-admission"


def examples(command: click.Command) -> list[str]:
    """The lines below ``Examples:``."""
    return [line.strip() for line in (command.help or "").partition("Examples:")[2].splitlines()]


def words(line: str) -> list[str]:
    """The arguments of our program in a line of a shell."""
    _, found, rest = line.partition(PROGRAM)
    assert found, line
    for end in (")", ">", "|"):
        rest = rest.partition(end)[0]
    return shlex.split(rest)


OURS = [
    (name, line)
    for name, command in sorted({"": main, **main.commands}.items())
    for line in examples(command)
    if f"{PROGRAM} " in line.replace("deployment/hami-admission ", "")
]


def test_every_command_has_examples_of_its_own() -> None:
    for name in main.commands:
        assert any(f"{PROGRAM} {name}" in line for owner, line in OURS if owner == name), name


@pytest.mark.parametrize(("name", "line"), OURS, ids=lambda each: str(each))
def test_examples_are_accepted(name: str, line: str) -> None:
    """Parsed as the program would; nothing is run."""
    found, *arguments = words(line)
    command = main.commands[found]
    # With its group: click keeps what it learns of -h from the first context that a command has.
    group = click.Context(main, info_name=PROGRAM, **main.context_settings)
    with command.make_context(found, arguments, parent=group) as context:
        assert context.args == []
    assert name in {"", found}


@pytest.mark.parametrize("width", [60, 100])
@pytest.mark.parametrize("name", ["", *sorted(main.commands)])
def test_help_keeps_to_the_width_of_the_terminal(name: str, width: int) -> None:
    """But for examples: a command stays on its line, to be copied."""
    arguments = [name, "--help"] if name else ["--help"]
    found = CliRunner().invoke(main, arguments, terminal_width=width)
    assert found.exit_code == 0
    told = [line for line in found.stdout.splitlines() if PROGRAM not in line]
    assert max(map(len, told)) <= width
    for line in examples(main.commands[name] if name else main):
        assert line in found.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_that_asks_this_program(shell: str) -> None:
    found = CliRunner().invoke(main, ["completion", shell])
    assert found.exit_code == 0
    assert VARIABLE in found.stdout
    assert PROGRAM in found.stdout


def asking(given: str) -> dict[str, str]:
    """The environment by which bash's script asks."""
    return {
        VARIABLE: "bash_complete",
        "COMP_WORDS": given,
        "COMP_CWORD": str(len(given.split(" ")) - 1),
    }


def answered(output: str) -> list[str]:
    """The words in an answer."""
    return [line.partition(",")[2] for line in output.splitlines()]


def completed(given: str) -> list[str]:
    """What bash's script would be answered."""
    done = CliRunner().invoke(main, [], env=asking(given), prog_name=PROGRAM)
    assert done.stderr == ""
    return answered(done.stdout)


def completed_by_a_process(given: str) -> list[str]:
    """The same, by a process that finds its own name."""
    program = f"import sys; sys.argv[0] = '{PROGRAM}'; from hami_admission.cli import main; main()"
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command,
        env=os.environ | asking(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    return answered(done.stdout)


def test_commands_options_and_choices_are_completed() -> None:
    assert completed_by_a_process(f"{PROGRAM} si") == completed(f"{PROGRAM} si") == ["simulate"]
    assert completed(f"{PROGRAM} doctor --trial") == ["--trial-namespace"]
    assert completed(f"{PROGRAM} check -o ") == ["table", "json", "yaml"]


def test_bash_takes_the_script(tmp_path: Path) -> None:
    script = tmp_path / "completion"
    script.write_text(CliRunner().invoke(main, ["completion", "bash"]).stdout)
    check = f"source {script} && complete -p {PROGRAM}"
    done = subprocess.run(["bash", "-c", check], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert PROGRAM in done.stdout
