"""Files and answers that the command line reads, decoded; what cannot be read is BadInput."""

from __future__ import annotations

import ssl
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import urlopen

import yaml

from hami_admission import settings as settings_of
from hami_admission.cluster import snapshot as snapshots
from hami_admission.simulate.errors import BadInput
from hami_admission.vendors import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hami_admission.cluster.snapshot import Snapshot

try:
    from yaml import CSafeLoader as Loader
except ImportError:  # PyYAML without libyaml reads the same, slower.
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

_DEEPEST = 100
"""Levels of YAML; a pod has about ten."""


def taken(body: bytes, name: str) -> Snapshot:
    """A snapshot; ``name`` is what a complaint calls it."""
    try:
        return snapshots.decode(body)
    except snapshots.Damaged as error:
        raise BadInput(f"{name}: {error}") from error


def fetched(url: str) -> bytes:
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


def documents(files: Iterable[str]) -> Iterator[tuple[str, object]]:
    """Each document of YAML files with its name; ``-`` is standard input."""
    for name in files:
        yield from parsed("standard input" if name == "-" else name, text(name))


def parsed(name: str, text: str) -> list[tuple[str, object]]:
    """The documents of a YAML text, each with its name."""
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


def text(name: str) -> str:
    """A file as text; ``-`` is standard input."""
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise BadInput(f"{name}: {reason}") from error


def settings(config: str | None) -> settings_of.Settings:
    """The settings of a file, or the defaults; with families that get along with one another."""
    if config is None:
        return settings_of.Settings()
    documents = parsed(config, text(config))
    values = documents[0][1] if documents else {}
    if not isinstance(values, dict) or len(documents) > 1:
        raise BadInput(f"{config}: one mapping of settings is wanted")
    try:
        found = settings_of.from_mapping(values)
        table.build(found)
        return found
    except settings_of.Mistakes as error:
        raise BadInput("\n".join(f"{config}: {line}" for line in error.lines)) from error
