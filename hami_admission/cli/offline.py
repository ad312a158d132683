"""Commands that need no cluster: files and snapshots in, tables or data out."""

from __future__ import annotations

import sys
from importlib import resources

import click
import msgspec

from hami_admission import files as files_of
from hami_admission import settings as settings_of
from hami_admission.cli.common import (
    CONFIG,
    REFUSED,
    SNAPSHOT,
    Complaints,
    dump,
    output_in,
    show,
)
from hami_admission.cluster import explain as explanation
from hami_admission.cluster import snapshot as snapshots
from hami_admission.settings import Settings
from hami_admission.simulate import report, run, scenario
from hami_admission.simulate.errors import BadInput


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILES…")
@CONFIG
@output_in("table", "json", "yaml")
def check(files: tuple[str, ...], config: str | None, output: str) -> None:
    """What admission would do to every pod and pod template in FILES; - is standard input.

    Quotas and placement are not looked at; that is what simulate does. Exit code 1: one is refused.

    \b
    Examples:
      hami-admission check deployment.yaml job.yaml
      hami-admission check my-chart.yaml -o json
      helm template my-chart | hami-admission check -
      kubectl get deployments,jobs -A -o yaml | hami-admission check -
    """
    with Complaints():
        found = scenario.build(files_of.documents(files), templates_only=True)
        outcomes = run.check(found, files_of.settings(config))
    if output == "table":
        show(report.check_tables(outcomes))
    else:
        dump(report.of_check(outcomes), output)
    _say_ignored(found)
    sys.exit(REFUSED if any(each.verdict == "denied" for each in outcomes) else 0)


@click.command()
@click.argument("files", nargs=-1, metavar="FILES…")
@click.option("--nodes", multiple=True, metavar="FILE", help="More files, with Nodes.")
@SNAPSHOT
@CONFIG
@output_in("table", "json")
def simulate(
    files: tuple[str, ...],
    nodes: tuple[str, ...],
    snapshot: str | None,
    config: str | None,
    output: str,
) -> None:
    """Admission, quota, placement and environment of all pods in FILES, in file order.

    Workloads become their pods; Nodes and ResourceQuotas among the files are used. Without Nodes
    the cluster is 2 nodes × 8 A100-80G; with --snapshot it is the one that was taken, and its
    waiting pods come first. kube-scheduler's own filters are not simulated. Exit code 1: one is
    refused or finds no place.

    \b
    Examples:
      hami-admission simulate my-chart.yaml
      hami-admission simulate pods.yaml --nodes nodes.yaml --config settings.yaml
      hami-admission simulate --snapshot state.json new-pod.yaml -o json
      kubectl get nodes,resourcequotas,pods -A -o yaml | hami-admission simulate -
    """
    if not files and snapshot is None:
        raise click.UsageError("name FILES, or a state with --snapshot FILE")
    with Complaints():
        taken = (
            None if snapshot is None else files_of.taken(files_of.text(snapshot).encode(), snapshot)
        )
        default = Settings() if taken is None else taken.settings
        settings = default if config is None else files_of.settings(config)
        known = [] if taken is None else [node.name for node in taken.nodes]
        found = scenario.build(files_of.documents((*nodes, *files)), known=known)
        if taken is None:
            result = run.simulate(found, settings)
        else:
            result = run.replay(found, msgspec.structs.replace(taken, settings=settings))
    if output == "table":
        show(report.tables(result))
    else:
        dump(report.of_simulation(result), output)
    _say_ignored(found)
    sys.exit(0 if all(each.good for each in result.outcomes) else REFUSED)


@click.command()
@click.argument("pod", metavar="NAMESPACE/POD")
@SNAPSHOT
@click.option(
    "--server",
    default="https://127.0.0.1:8443",
    show_default=True,
    help="The control process beside this one, or one that kubectl port-forward leads to.",
)
@output_in("table", "json")
def explain(pod: str, snapshot: str | None, server: str, output: str) -> None:
    """Why a pod waits or where it is: which card of which node fails why, what is free, which
    quota is left, and the least changes that would make it fit.

    Asks the control process on this machine, in its pod for example; or reads --snapshot FILE.
    Exit code 1: the pod waits.

    \b
    Examples:
      kubectl -n hami-system port-forward deployment/hami-admission 8443
      hami-admission explain team-a/chat-0
      hami-admission explain team-a/chat-0 --snapshot state.json -o json
    """
    if pod.count("/") != 1 or not all(pod.split("/")):
        raise click.UsageError(f"{pod}: write NAMESPACE/POD")
    with Complaints():
        body = (
            files_of.fetched(f"{server}/snapshot")
            if snapshot is None
            else files_of.text(snapshot).encode()
        )
        taken = files_of.taken(body, server if snapshot is None else snapshot)
        try:
            found = explanation.explain(snapshots.restore(taken), pod)
        except explanation.Unknown as error:
            raise BadInput(str(error.args[0])) from error
    if output == "table":
        show(report.explained(found))
    else:
        dump(msgspec.to_builtins(found), output)
    sys.exit(0 if found.node else REFUSED)


@click.command()
def demo() -> None:
    """Run the example manifests of the package through the production code, without a cluster.

    One pod is refused and one cannot be placed, as they are meant to be.

    \b
    Examples:
      hami-admission demo
    """
    examples = resources.files("hami_admission.simulate") / "examples"
    texts = sorted((each.name, each.read_text()) for each in examples.iterdir())
    documents = [doc for name, text in texts for doc in files_of.parsed(name, text)]
    result = run.simulate(scenario.build(documents), settings_of.Settings())
    show(report.tables(result))


def _say_ignored(found: scenario.Scenario) -> None:
    if found.ignored:
        kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(found.ignored.items()))
        click.echo(f"ignored: {kinds}", err=True)
