"""Names of objects as Kubernetes has them (apimachinery: util/validation, DNS-1123)."""

from __future__ import annotations

import re

_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_LABELS = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_ONE = re.compile(_LABEL)

MOST_NAME, MOST_NAMESPACE = 253, 63
"""Characters."""


def is_name(text: str) -> bool:
    """May a pod be called so?"""
    return len(text) <= MOST_NAME and _LABELS.fullmatch(text) is not None


def is_prefix(text: str) -> bool:
    """May a pod be called so, or is it the beginning that the API server adds some letters to?"""
    return is_name(f"{text[:-1]}a") if text.endswith("-") else is_name(text)


def is_namespace(text: str) -> bool:
    """May a namespace be called so?"""
    return len(text) <= MOST_NAMESPACE and _ONE.fullmatch(text) is not None
