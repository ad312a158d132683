"""Commands about a cluster and about the command line itself."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import click

from hami_admission import files as files_of
from hami_admission.cli.common import (
    BAD_INPUT,
    CONFIG,
    REFUSED,
    Complaints,
    dump,
    is_namespace,
    output_in,
    show,
)
from hami_admission.doctor import diagnose, report


@click.command()
@click.option(
    "--kubeconfig",
    metavar="FILE",
    help="Else KUBECONFIG, ~/.kube/config, or the pod's service account.",
)
@click.option(
    "--namespace",
    default="hami-system",
    show_default=True,
    callback=is_namespace,
    help="Where we run.",
)
@click.option(
    "--trial-namespace",
    default="default",
    show_default=True,
    callback=is_namespace,
    metavar="NAMESPACE",
    help="Where a pod is created with dryRun, to see whether it comes to us.",
)
@CONFIG
@output_in("table", "json")
def doctor(
    kubeconfig: str | None, namespace: str, trial_namespace: str, config: str | None, output: str
) -> None:
    """Check a cluster, and say what to do.

    Changes nothing: it reads, and creates one pod as a dry run. What it may not read is said to be
    unknown. Exit code 0: no problem, 1: problems, 2: nobody answers.

    \b
    Examples:
      hami-admission doctor
      hami-admission doctor --kubeconfig admin.conf --namespace hami-system
      hami-admission doctor --trial-namespace team-a -o json
    """
    try:
        from hami_admission import examine
        from hami_admission.kube.errors import ApiError, NoConfiguration
    except ImportError as error:
        raise click.UsageError(f"{error}; install hami-admission[control]") from error
    with Complaints():
        settings = files_of.settings(config)
    try:
        observed = asyncio.run(
            examine.observe(kubeconfig or _usual(), namespace, trial_namespace, settings)
        )
    except (ApiError, NoConfiguration) as error:
        click.echo(f"hami-admission: {error}", err=True)
        sys.exit(BAD_INPUT)
    findings = diagnose.diagnose(observed)
    if output == "table":
        show(report.shown(findings))
    else:
        dump(report.of(findings), output)
    sys.exit(0 if diagnose.sound(findings) else REFUSED)


def _usual() -> str | None:
    """Where kubectl looks, but in a pod its own account."""
    named = os.environ.get("KUBECONFIG")
    if named:
        return named
    home = Path.home() / ".kube" / "config"
    return str(home) if home.exists() and "KUBERNETES_SERVICE_HOST" not in os.environ else None
