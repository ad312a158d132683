"""The command line: reads files and flags, calls, prints. It decides nothing.

Exit codes: 0 all good, 1 something was refused or not placed, 2 bad input or usage.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from contextlib import suppress
from importlib import resources
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import click
import msgspec
import yaml
from rich.console import Console

import hami_admission
from hami_admission import settings as settings_of
from hami_admission.cluster import explain as explanation
from hami_admission.cluster import snapshot as snapshots
from hami_admission.settings import Settings
from hami_admission.simulate import report, run, scenario
from hami_admission.simulate.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence

    from rich.console import RenderableType

    from hami_admission.cluster.snapshot import Snapshot
    from hami_admission.control.logs import Format

try:
    from yaml import CSafeLoader as Loader
except ImportError:  # PyYAML without libyaml reads the same, slower.
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

_DEEPEST = 100
"""Levels of YAML; a pod has about ten."""

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
        found = scenario.build(_documents(files), templates_only=True)
        outcomes = run.check(found, _settings(config))
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
        taken = None if snapshot is None else _taken(_text(snapshot).encode(), snapshot)
        default = Settings() if taken is None else taken.settings
        settings = default if config is None else _settings(config)
        known = [] if taken is None else [node.name for node in taken.nodes]
        found = scenario.build(_documents((*nodes, *files)), known=known)
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
        body = _fetched(f"{server}/snapshot") if snapshot is None else _text(snapshot).encode()
        taken = _taken(body, server if snapshot is None else snapshot)
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
    documents = [doc for name, text in texts for doc in _parsed(name, text)]
    result = run.simulate(scenario.build(documents), settings_of.Settings())
    _print(report.tables(result))


@main.command()
@click.option("--host", default="0.0.0.0", show_default=True, help="Address to listen on.")
@click.option("--port", default=8443, show_default=True, help="Port of all routes.")
@click.option("--metrics-port", default=9395, show_default=True, help="Port of /metrics.")
@click.option("--kubeconfig", metavar="FILE", help="Without it: the pod's service account.")
@click.option("--namespace", default="hami-system", show_default=True, help="Where we run.")
@click.option("--service", default="hami-admission", show_default=True, help="How we are reached.")
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
@click.option("--log-format", type=click.Choice(("json", "text")), default="json")
@click.option("--log-level", type=click.Choice(("debug", "info", "warning")), default="info")
@_config
def control(config: str | None, log_format: Format, log_level: str, **where: Any) -> None:
    """Serve the webhooks and the scheduler extender of a cluster."""
    try:
        from hami_admission.certificates.files import Unusable
        from hami_admission.control import app, logs
        from hami_admission.kube.errors import NoConfiguration
    except ImportError as error:
        raise click.UsageError(f"{error}; install hami-admission[control]") from error
    if where["scheduler_lease"].count("/") != 1:
        raise click.UsageError(f"--scheduler-lease {where['scheduler_lease']}: NAMESPACE/NAME")
    with _Complaints():
        settings = _settings(config)
    logs.set_up(log_format, log_level)
    try:
        _run(app.serve(app.Options(**where), settings))
    except (NoConfiguration, Unusable) as error:
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


def _run(main_task: Coroutine[Any, Any, None]) -> None:
    """On uvloop where there is one."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with suppress(ImportError):
        from uvloop import new_event_loop as factory
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main_task)


def _taken(body: bytes, name: str) -> Snapshot:
    try:
        return snapshots.decode(body)
    except snapshots.Damaged as error:
        raise BadInput(f"{name}: {error}") from error


def _fetched(url: str) -> bytes:
    """From this machine only: there is nobody between, and so the certificate is not looked at."""
    if not _is_here(url):
        raise BadInput(f"{url}: only https:// of this machine; kubectl port-forward leads there")
    tls = ssl.create_default_context()
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    try:
        with urlopen(url, timeout=30, context=tls) as answer:
            body: bytes = answer.read()
            return body
    except (OSError, ValueError) as error:
        raise BadInput(f"{url}: {error}; run it beside control, or give --snapshot") from error


def _is_here(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        here = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
    return here and parts.scheme == "https"


def _documents(files: Iterable[str]) -> Iterator[tuple[str, object]]:
    for name in files:
        yield from _parsed("standard input" if name == "-" else name, _text(name))


def _parsed(name: str, text: str) -> list[tuple[str, object]]:
    try:
        _check_depth(name, text)
        documents = list(yaml.load_all(text, Loader=Loader))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadInput(f"{name}: not YAML: {error}") from error
    return [(f"{name}, document {n}", each) for n, each in enumerate(documents, 1)]


def _check_depth(name: str, text: str) -> None:
    """libyaml composes recursively in C and would end the process; its parser does not."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise BadInput(f"{name}: nested deeper than {_DEEPEST} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _text(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise BadInput(f"{name}: {reason}") from error


def _settings(config: str | None) -> settings_of.Settings:
    if config is None:
        return settings_of.Settings()
    documents = _parsed(config, _text(config))
    values = documents[0][1] if documents else {}
    if not isinstance(values, dict) or len(documents) > 1:
        raise BadInput(f"{config}: one mapping of settings is wanted")
    try:
        return settings_of.from_mapping(values)
    except settings_of.Mistakes as error:
        raise BadInput("\n".join(f"{config}: {line}" for line in error.lines)) from error


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
