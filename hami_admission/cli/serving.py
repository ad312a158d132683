"""Commands of a cluster's pods: the control process, what goes before and after it, the agent."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hami_admission import files as files_of
from hami_admission import settings as settings_of
from hami_admission.cli.common import (
    BAD_INPUT,
    CONFIG,
    KUBECONFIG,
    LOG_FORMAT,
    LOG_LEVEL,
    REFUSED,
    Complaints,
    is_name,
    is_namespace,
)
from hami_admission.wire import names

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import ModuleType

    from hami_admission.logs import Format


T = TypeVar("T")

_namespace = click.option(
    "--namespace",
    default="hami-system",
    show_default=True,
    callback=is_namespace,
    help="Where we run.",
)
_service = click.option(
    "--service",
    default="hami-admission",
    show_default=True,
    callback=is_name,
    help="How we are reached.",
)


@click.command()
@click.option("--host", default="0.0.0.0", show_default=True, help="Address to listen on.")
@click.option("--port", default=8443, show_default=True, help="Port of all routes.")
@click.option("--metrics-port", default=9395, show_default=True, help="Port of /metrics.")
@KUBECONFIG
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
@LOG_FORMAT
@LOG_LEVEL
@CONFIG
def control(config: str | None, log_format: Format, log_level: str, **where: Any) -> None:
    """Serve the webhooks and the scheduler extender of a cluster.

    \b
    Examples:
      hami-admission control
      hami-admission control --kubeconfig control.conf --config settings.yaml --log-format text
      hami-admission control --tls-folder /tls --scheduler-lease hami-system/hami-scheduler
    """
    app = _control_parts()
    namespace, _, name = where["scheduler_lease"].partition("/")
    if not (names.is_namespace(namespace) and names.is_name(name)):
        raise click.UsageError(f"--scheduler-lease {where['scheduler_lease']}: NAMESPACE/NAME")
    with Complaints():
        settings = files_of.settings(config)
    _run(app.serve(app.Options(**where), settings), log_format, log_level)


@click.command()
@click.option("--file", "file", required=True, metavar="FILE", help="What is written.")
@_namespace
@_service
@KUBECONFIG
@LOG_FORMAT
@LOG_LEVEL
def authority(file: str, log_format: Format, log_level: str, **where: Any) -> None:
    """Write the authority of our certificates to FILE, for the kube-scheduler beside us.

    It reads that once, when it starts; so this runs before. A Secret that is not there is made.

    \b
    Examples:
      hami-admission authority --file /authority/ca.crt
    """
    app = _control_parts()
    found = _run(app.authority(app.Options(**where)), log_format, log_level)
    try:
        Path(file).write_bytes(found)
    except OSError as error:
        raise click.UsageError(f"--file {file}: {error.strerror}") from error


@click.command("try")
@click.option(
    "--in",
    "namespace",
    default="default",
    show_default=True,
    callback=is_namespace,
    help="In which namespace.",
)
@KUBECONFIG
@LOG_FORMAT
@LOG_LEVEL
@CONFIG
def try_(
    namespace: str, kubeconfig: str | None, config: str | None, log_format: Format, log_level: str
) -> None:
    """Ask the API server for an accelerator pod, as a dry run: is it rewritten as it should be?

    This goes all the way: API server, webhooks, their certificate, policies. Nothing is created.

    \b
    Examples:
      hami-admission try --in team-a
      hami-admission try --kubeconfig admin.conf --config settings.yaml
    """
    app = _control_parts()
    with Complaints():
        settings = files_of.settings(config)
    asked = app.trial(app.Options(kubeconfig=kubeconfig), settings, namespace)
    wrong = _run(asked, log_format, log_level)
    for line in wrong:
        click.echo(f"hami-admission: {line}", err=True)
    if wrong:
        sys.exit(REFUSED)
    click.echo(f"a pod in {namespace} is rewritten by hami-admission and admitted")


@click.command()
@click.option(
    "--node-name",
    envvar="NODE_NAME",
    required=True,
    callback=is_name,
    help="Or NODE_NAME: our node.",
)
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
@KUBECONFIG
@LOG_FORMAT
@LOG_LEVEL
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

    \b
    Examples:
      hami-admission agent --node-name n1 --device-config device-config.yaml
      hami-admission agent --node-name n1 --mode devices --set device-list-strategy=cdi-cri
      hami-admission agent --node-name n1 --driver scripted --script cards.yaml --isolation none
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
        sys.exit(BAD_INPUT)


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
    wrong: list[str] = []
    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(main_task)
    except* (NoConfiguration, Unusable, ApiError) as errors:  # a group of tasks raises a group
        wrong += [str(each) for each in errors.exceptions]
    for line in wrong:
        click.echo(f"hami-admission: {line}", err=True)
    sys.exit(BAD_INPUT)
