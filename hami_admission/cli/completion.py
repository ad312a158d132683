"""Completion of commands, options and choices in shells."""

from __future__ import annotations

import click
from click.shell_completion import ShellComplete, get_completion_class

PROGRAM = "hami-admission"
VARIABLE = "_HAMI_ADMISSION_COMPLETE"
"""By which the shell's script asks the program; click's form of the program's name."""


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands, options and choices.

    \b
    Examples:
      source <(hami-admission completion bash)
      hami-admission completion zsh > ~/.zfunc/_hami-admission
      hami-admission completion fish > ~/.config/fish/completions/hami-admission.fish
    """
    form = get_completion_class(shell)
    assert form is not None, "click knows these three"
    # Not that of bash itself, which wants a bash on this machine.
    click.echo(ShellComplete.source(form(context.find_root().command, {}, PROGRAM, VARIABLE)))
