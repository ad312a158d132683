"""YAML that tests read, by libyaml: PyYAML's own parser takes ten times as long."""

from __future__ import annotations

from typing import Any

import yaml


def load(text: str | bytes) -> Any:
    """The only document of a text."""
    return yaml.load(text, Loader=yaml.CSafeLoader)


def load_all(text: str | bytes) -> list[Any]:
    """The documents of a text; None where one is empty."""
    return list(yaml.load_all(text, Loader=yaml.CSafeLoader))
