"""What the commands share: options, complaints, output."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
import msgspec
import yaml
from rich.console import Console

from hami_admission import settings as settings_of
from hami_admission.simulate.errors import BadInput
from hami_admission.wire import names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType

BAD_INPUT = 2
REFUSED = 1

SNAPSHOT = click.option("--snapshot", metavar="FILE", help="A state from GET /snapshot.")
CONFIG = click.option("--config", metavar="FILE", help="Settings, as the control process has.")
KUBECONFIG = click.option(
    "--kubeconfig", metavar="FILE", help="Without it: the pod's service account."
)
LOG_FORMAT = click.option("--log-format", type=click.Choice(("json", "text")), default="json")
LOG_LEVEL = click.option(
    "--log-level", type=click.Choice(("debug", "info", "warning")), default="info"
)


def output_in(*formats: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option -o with these formats; the first is the default."""
    choice = click.Choice(formats)
    return click.option("-o", "--output", type=choice, default=formats[0], show_default=True)


def is_namespace(_: click.Context, __: click.Parameter, value: str) -> str:
    """The callback of an option that names a namespace."""
    if not names.is_namespace(value):
        raise click.BadParameter(f"{value!r} is not the name of a namespace")
    return value


def is_name(_: click.Context, __: click.Parameter, value: str) -> str:
    """The callback of an option that names another object."""
    if not names.is_name(value):
        raise click.BadParameter(f"{value!r} is not the name of an object")
    return value


class Complaints:
    """Turns what is wrong with the input into a line on stderr and exit code 2."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, BadInput | settings_of.Mistakes):
            click.echo(f"hami-admission: {error}", err=True)
            sys.exit(BAD_INPUT)


def show(renderables: Sequence[RenderableType]) -> None:
    """As wide as the terminal or COLUMNS; colours on a terminal only, and not with NO_COLOR."""
    console = Console(soft_wrap=False, highlight=False)
    for each in renderables:
        console.print(each)


def dump(answer: dict[str, object], output: str) -> None:
    """As YAML or JSON."""
    if output == "yaml":
        click.echo(yaml.safe_dump(answer, sort_keys=False), nl=False)
    else:
        click.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
