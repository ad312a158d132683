"""The command line: reads files and flags, calls, prints. It decides nothing.

Exit codes: 0 all good, 1 something was refused or not placed (``doctor``: there are problems), 2
bad input or usage.
"""

from __future__ import annotations

import click

import hami_admission
from hami_admission.cli import completion, doctor, offline, serving


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Shared accelerators for Kubernetes: admission, exact quotas and placement.

    \b
    Examples:
      hami-admission demo
      hami-admission simulate my-chart.yaml
      hami-admission doctor
    """


@main.command()
def version() -> None:
    """Print the version.

    \b
    Examples:
      hami-admission version
    """
    click.echo(hami_admission.__version__)


for _command in (
    offline.check,
    offline.simulate,
    offline.explain,
    offline.demo,
    doctor.doctor,
    completion.completion,
    serving.control,
    serving.agent,
    serving.authority,
    serving.try_,
):
    main.add_command(_command)
