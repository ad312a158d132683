"""The command line: reads files and flags, calls, prints. It decides nothing.

Exit codes: 0 all good, 1 something was refused or not placed, 2 bad input or usage.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec
import yaml
from rich.console import Console

import hami_admission
from hami_admission import files as files_of
from hami_admission import settings as settings_of
from hami_admission.cluster import explain as explanation
from hami_admission.cluster import snapshot as snapshots
from hami_admission.settings import Settings
from hami_admission.simulate import report, run, scenario
from hami_admission.simulate.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from types import ModuleType

    from rich.console import RenderableType

    from hami_admission.logs import Format

T = TypeVar("T")

_BAD_INPUT = 2
_REFUSED = 1

_files = click.argument("files", nargs=-1, required=True, metavar="FILES…")
_snapshot = click.option("--snapshot", metavar="FILE", help="A state from GET /snapshot.")
_config = click.option("--config", metavar="FILE", help="Settings, as the control process has.")


def _output(*formats: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    choice = click.Choice(formats)
    return click.option("-o", "--output", type=choice, default="table", show_default=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Shared accelerators for Kubernetes: admission, exact quotas and placement."""


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(hami_admission.__version__)


@main.command()
@_files
@_config
@_output("table", "json", "yaml")
def check(files: tuple[str, ...], config: str | None, output: str) -> None:
    """What admission would do to every pod and pod template in FILES; - is standard input.

    Quotas and placement are not looked at; that is what simulate does.
    """
    with _Complaints():
        found = scenario.build(files_of.documents(files), templates_only=True)
        outcomes = run.check(found, files_of.settings(config))
    if output == "table":
        _print(report.check_tables(outcomes))
    else:
        _dump(report.of_check(outcomes), output)
    _say_ignored(found)
    sys.exit(_REFUSED if any(each.verdict == "denied" for each in outcomes) else 0)


@main.command()
@click.argument("files", nargs=-1, metavar="FILES…")
@click.option("--nodes", multiple=True, metavar="FILE", help="More files, with Nodes.")
@_snapshot
@_config
@_output("table", "json")
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
    waiting pods come first. kube-scheduler's own filters are not simulated.
    """
    if not files and snapshot is None:
        raise click.UsageError("name FILES, or a state with --snapshot FILE")
    with _Complaints():
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
        _print(report.tables(result))
    else:
        _dump(report.of_simulation(result), output)
    _say_ignored(found)
    sys.exit(0 if all(each.good for each in result.outcomes) else _REFUSED)


@main.command()
@click.argument("pod", metavar="NAMESPACE/POD")
@_snapshot
@click.option(
    "--server",
    default="https://127.0.0.1:8443",
    show_default=True,
    help="The control process beside this one, or one that kubectl port-forward leads to.",
)
@_output("table", "json")
def explain(pod: str, snapshot: str | None, server: str, output: str) -> None:
    """Why a pod waits or where it is: which card of which node fails why, what is free, which
    quota is left, and the least changes that would make it fit.

    Asks the control process on this machine, in its pod for example; or reads --snapshot FILE.
    Exit code 1: the pod waits.
    """
    if pod.count("/") != 1 or not all(pod.split("/")):
        raise click.UsageError(f"{pod}: write NAMESPACE/POD")
    with _Complaints():
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
        _print(report.explained(found))
    else:
        _dump(msgspec.to_builtins(found), output)
    sys.exit(0 if found.node else _REFUSED)


@main.command()
def demo() -> None:
    """Run the example manifests of the package through the production code, without a cluster.

    One pod is refused and one cannot be placed, as they are meant to be.
    """
    examples = resources.files("hami_admission.simulate") / "examples"
    texts = sorted((each.name, each.read_text()) for each in examples.iterdir())
    documents = [doc for name, text in texts for doc in files_of.parsed(name, text)]
    result = run.simulate(scenario.build(documents), settings_of.Settings())
    _print(report.tables(result))


_log_format = click.option("--log-format", type=click.Choice(("json", "text")), default="json")
_log_level = click.option(
    "--log-level", type=click.Choice(("debug", "info", "warning")), default="info"
)
_kubeconfig = click.option(
    "--kubeconfig", metavar="FILE", help="Without it: the pod's service account."
)
_namespace = click.option(
    "--namespace", default="hami-system", show_default=True, help="Where we run."
)
_service = click.option(
    "--service", default="hami-admission", show_default=True, help="How we are reached."
)


@main.command()
@click.option("--host", default="0.0.0.0", show_default=True, help="Address to listen on.")
@click.option("--port", default=8443, show_default=True, help="Port of all routes.")
@click.option("--metrics-port", default=9395, show_default=True, help="Port of /metrics.")
@_kubeconfig
@_namespace
@_service
@click.option(
    "--tls-folder",
    metavar="DIR",
    help="Serve with tls.crt and tls.key of a mounted Secret; else with a Secret of our own.",
)
@click.option(
    "--scheduler-lease",
    default="hami-system/hami-scheduler",
    show_default=True,
    metavar="NAMESPACE/NAME",
    help="By which the kube-schedulers beside the replicas elect their leader.",
)
@click.option(
    "--leaving-seconds",
    default=5.0,
    show_default=True,
    help="Unready but serving after SIGTERM, until no one is sent here any more.",
)
@_log_format
@_log_level
@_config
def control(config: str | None, log_format: Format, log_level: str, **where: Any) -> None:
    """Serve the webhooks and the scheduler extender of a cluster."""
    app = _control_parts()
    if where["scheduler_lease"].count("/") != 1:
        raise click.UsageError(f"--scheduler-lease {where['scheduler_lease']}: NAMESPACE/NAME")
    with _Complaints():
        settings = files_of.settings(config)
    _run(app.serve(app.Options(**where), settings), log_format, log_level)


@main.command()
@click.option("--file", "file", required=True, metavar="FILE", help="What is written.")
@_namespace
@_service
@_kubeconfig
@_log_format
@_log_level
def authority(file: str, log_format: Format, log_level: str, **where: Any) -> None:
    """Write the authority of our certificates to FILE, for the kube-scheduler beside us.

    It reads that once, when it starts; so this runs before. A Secret that is not there is made.
    """
    app = _control_parts()
    found = _run(app.authority(app.Options(**where)), log_format, log_level)
    try:
        Path(file).write_bytes(found)
    except OSError as error:
        raise click.UsageError(f"--file {file}: {error.strerror}") from error


@main.command("try")
@click.option("--in", "namespace", default="default", show_default=True, help="In which namespace.")
@_kubeconfig
@_log_format
@_log_level
@_config
def try_(
    namespace: str, kubeconfig: str | None, config: str | None, log_format: Format, log_level: str
) -> None:
    """Ask the API server for an accelerator pod, as a dry run: is it rewritten as it should be?

    This goes all the way: API server, webhooks, their certificate, policies. Nothing is created.
    """
    app = _control_parts()
    with _Complaints():
        settings = files_of.settings(config)
    asked = app.trial(app.Options(kubeconfig=kubeconfig), settings, namespace)
    wrong = _run(asked, log_format, log_level)
    for line in wrong:
        click.echo(f"hami-admission: {line}", err=True)
    if wrong:
        sys.exit(_REFUSED)
    click.echo(f"a pod in {namespace} is rewritten by hami-admission and admitted")


@main.command()
@click.option("--node-name", envvar="NODE_NAME", required=True, help="Or NODE_NAME: our node.")
@click.option(
    "--driver",
    type=click.Choice(("nvml", "scripted")),
    default="nvml",
    show_default=True,
    help="Where the cards are: on this machine, or in the file of --script.",
)
@click.option("--script", metavar="FILE", help="Cards, links and events; see docs/agent.md.")
@click.option("--device-config", metavar="FILE", help="For all nodes: device-config.yaml.")
@click.option("--node-config", metavar="FILE", help="By node: upstream's config.json.")
@click.option(
    "--mode",
    type=click.Choice(("environment", "devices")),
    help="By what the runtime chooses cards: the container's environment, or its devices.",
)
@click.option(
    "--isolation",
    type=click.Choice(("library", "none")),
    help="Who keeps containers within their share of a card.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="A flag of HAMi's device plugin, such as device-list-strategy=cdi-cri.",
)
@click.option("--kubelet-folder", default="/var/lib/kubelet/device-plugins", show_default=True)
@click.option(
    "--pod-resources", default="/var/lib/kubelet/pod-resources/kubelet.sock", show_default=True
)
@click.option("--host", default="0.0.0.0", show_default=True, help="Address of --metrics-port.")
@click.option("--metrics-port", default=9394, show_default=True, help="Port of /metrics.")
@_kubeconfig
@_log_format
@_log_level
def agent(
    log_format: Format,
    log_level: str,
    settings: tuple[str, ...],
    mode: str | None,
    isolation: str | None,
    **flags: Any,
) -> None:
    """Serve the cards of one node: to the kubelet, the scheduler and Prometheus.

    The environment variables of HAMi's device plugin are read as well; see docs/agent.md.
    """
    try:
        from hami_admission import logs
        from hami_admission.agent import app
        from hami_admission.agent.driver import DriverError
        from hami_admission.kube.errors import NoConfiguration
    except ImportError as error:
        raise click.UsageError(f"{error}; install hami-admission[agent]") from error
    if (flags["driver"] == "scripted") != (flags["script"] is not None):
        raise click.UsageError("--script FILE belongs to --driver scripted, and it to --script")
    said = {name: value for name, _, value in (each.partition("=") for each in settings)}
    own = {"mode": mode, "isolation": isolation}
    said |= {name: value for name, value in own.items() if value is not None}
    logs.set_up(log_format, log_level)
    try:
        asyncio.run(app.serve(app.Flags(settings=said, **flags)))
    except (NoConfiguration, DriverError, settings_of.Mistakes) as error:
        click.echo(f"hami-admission: {error}", err=True)
        sys.exit(_BAD_INPUT)


class _Complaints:
    """Turns what is wrong with the input into a line on stderr and exit code 2."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, BadInput | settings_of.Mistakes):
            click.echo(f"hami-admission: {error}", err=True)
            sys.exit(_BAD_INPUT)


def _control_parts() -> ModuleType:
    """The wiring of the control process, where its libraries are installed."""
    try:
        from hami_admission.control import app
    except ImportError as error:
        raise click.UsageError(f"{error}; install hami-admission[control]") from error
    return app


def _run(main_task: Coroutine[Any, Any, T], log_format: Format, log_level: str) -> T:
    """On uvloop where there is one; what keeps it from its work is a line and exit code 2."""
    from hami_admission import logs
    from hami_admission.certificates.files import Unusable
    from hami_admission.kube.errors import ApiError, NoConfiguration

    logs.set_up(log_format, log_level)
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with suppress(ImportError):
        from uvloop import new_event_loop as factory
    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(main_task)
    except (NoConfiguration, Unusable, ApiError) as error:
        click.echo(f"hami-admission: {error}", err=True)
        sys.exit(_BAD_INPUT)


def _print(renderables: Sequence[RenderableType]) -> None:
    console = Console(soft_wrap=False)
    for each in renderables:
        console.print(each)


def _dump(answer: dict[str, object], output: str) -> None:
    if output == "yaml":
        click.echo(yaml.safe_dump(answer, sort_keys=False), nl=False)
    else:
        click.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())


def _say_ignored(found: scenario.Scenario) -> None:
    if found.ignored:
        kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(found.ignored.items()))
        click.echo(f"ignored: {kinds}", err=True)
