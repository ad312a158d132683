"""The two versions that talk to each other: the release, and this tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from tests.packaging import released
from tests.upgrade import dialect

if TYPE_CHECKING:
    from types import TracebackType


class Refused(Exception):
    """A version cannot read what it was given; the message is its own."""


class Side(Protocol):
    """One of the two."""

    def ask(self, function: str, argument: Any) -> Any:
        """The answer of a function of `tests.upgrade.dialect`; raises Refused."""


class Tree:
    """This tree, in this process."""

    def ask(self, function: str, argument: Any) -> Any:
        """As JSON, as the other side is asked."""
        given = json.loads(json.dumps(argument))
        return json.loads(json.dumps(dialect.FUNCTIONS[function](given)))


class Release:
    """The release, in one process for all questions."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(dialect.__file__))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
            env={**os.environ, **released.environment(), "PYTHONUTF8": "1"},
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        with self._process:
            pass

    def ask(self, function: str, argument: Any) -> Any:
        """The answer; raises Refused."""
        given, taken = self._process.stdin, self._process.stdout
        assert given is not None
        assert taken is not None
        given.write(json.dumps([function, argument]) + "\n")
        given.flush()
        answer = json.loads(taken.readline())
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["answer"]
