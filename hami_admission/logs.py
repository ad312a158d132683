"""Logs: one line per decision, as JSON or as text, with its fields."""

from __future__ import annotations

import logging
import sys
import time
from typing import Literal

import msgspec

Format = Literal["json", "text"]

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _Lines(logging.Formatter):
    def __init__(self, form: Format) -> None:
        super().__init__()
        self._json = form == "json"

    def format(self, record: logging.LogRecord) -> str:
        fields = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **fields,
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        if self._json:
            return msgspec.json.encode(line, enc_hook=str).decode()
        rest = " ".join(f"{key}={value}" for key, value in line.items() if key not in _FIRST)
        return f"{line['time']} {line['level']} {line['event']} {rest}"


_FIRST = frozenset({"time", "level", "event"})


def set_up(form: Format, level: str) -> None:
    """Log to stderr; libraries from warning on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(form))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("hami_admission").setLevel(level.upper())
