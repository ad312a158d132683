"""Every text that a user can meet, read from the code itself.

A text with holes has ``…`` for each of them. What cannot be read is an error, not a gap: a new way
to make a message has to be learned here, or written so that it can be read.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hami_admission
from hami_admission.model.verdict import NODE_UNREGISTERED, Reason
from tests import yamls

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(hami_admission.__file__).parent
WEBHOOKS = PACKAGE.parent / "webhooks"
HOLE = "…"

CONSTRUCTORS: dict[str, tuple[int, str]] = {
    "Objection": (2, "advice"),
    "Refusal": (0, "text"),
    "BindFailed": (0, "message"),
    "Unanswered": (0, "message"),
    "NotFree": (0, "message"),
    "NotCaughtUp": (0, "message"),
    "deny": (1, "message"),
    "later": (0, "reason"),
    "encode_error": (0, "error"),
    "_refuse": (3, "message"),
    "Stranger": (1, "text"),
    "NotMade": (0, "message"),
    "wrong": (1, "right"),
    "wrong_note": (1, "right"),
    "wrong_amount": (2, "right"),
}
"""Whose argument, by position or name, is a text for users."""

PASSED_ON = {
    "sentence(…)": "objections, which are read where they are made",
    "str(error)": "an exception that is read where it is made",
    "str(refusal)": "a Refusal",
    "message": "the argument of _refuse",
    "review.mistake": "what the reader of pods objects to",
    "right": "the argument of the three that are wrong",
}
"""Expressions that hand on what is read elsewhere."""

WARNINGS = {
    "admission/admit.py: (*validate.warnings(asked), *validate.strangers(pod, asked,"
    " vendors.owners), *mutate.overruled(changes))",
    "admission/admit.py: (reason,)",
    "control/webhook.py: decision.warnings",
    "simulate/outcome.py: ()",
    "simulate/outcome.py: decision.warnings",
    "simulate/run.py: warnings",
    "vendors/hygon.py: (*reading.warnings, warning)",
    "vendors/ascend.py: reading.warnings + raised",
    "vendors/parse.py: _guessed(container, names, defaults, values)",
    "vendors/parse.py: tuple(warnings)",
    "vendors/enflame.py: ignored",
    "vendors/kunlun.py: (*reading.warnings, more) if memory > CARD_MIB else reading.warnings",
}
"""What is given as ``warnings=`` anywhere; the functions behind these are WARNERS."""

WARNERS = {
    "vendors/hygon.py": {"_warned"},
    "vendors/parse.py": {"_guessed", "whole_cards"},
    "vendors/kunlun.py": {"_sized"},
    "vendors/ascend.py": {"_raised"},
    "vendors/enflame.py": {"_reading"},
    "admission/mutate.py": {"overruled"},
    "admission/validate.py": {"strangers"},
    "admission/scope.py": {"_exempt", "_of_another_scheduler"},
    "simulate/workloads.py": {"_requests_only", "_rollout", "_programs"},
    "simulate/run.py": {"_admitted"},
}
"""Functions whose texts are warnings, or say why a pod is left alone."""

MALFORMED = ("wire/wishes.py", "wire/quantities.py", "wire/pods.py")
"""Readers of what users write, whose errors stand in objections."""

NO_REASONS = {"Warning", "Normal", "Node", "Pod", "ResourceQuota"}
CAMEL = re.compile(r"(?:[A-Z][a-z]+)+")


class Unreadable(Exception):
    """A message is made in a way that is not known here."""


@cache
def tree(path: Path) -> ast.Module:
    """A file, parsed."""
    return ast.parse(path.read_text())


def sources() -> Iterator[tuple[str, ast.Module]]:
    """All files of the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if not path.stem.endswith("_pb2"):
            yield path.relative_to(PACKAGE).as_posix(), tree(path)


def texts(node: ast.expr, scope: ast.AST, module: ast.Module) -> list[str]:
    """What an expression can read like; ``scope`` is the function that it stands in."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        return _joined(node)
    if isinstance(node, ast.IfExp):
        return texts(node.body, scope, module) + texts(node.orelse, scope, module)
    if isinstance(node, ast.BoolOp):
        return [text for value in node.values for text in texts(value, scope, module)]
    said = ast.unparse(node)
    if said in PASSED_ON or (isinstance(node, ast.Call) and said.startswith("sentence(")):
        return []
    if isinstance(node, ast.Name):
        found = _assigned(node.id, scope, module)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        found = _returned(node.func.id, module)
    else:
        found = []
    if not found:
        raise Unreadable(said)
    return [text for value in found for text in texts(value, scope, module)]


def _joined(node: ast.JoinedStr) -> list[str]:
    """The texts of an f-string; a hole that holds a choice of texts is filled with each."""
    found = [""]
    for part in node.values:
        hole = part.value if isinstance(part, ast.FormattedValue) else part
        if isinstance(hole, ast.Constant):
            found = [text + str(hole.value) for text in found]
        else:
            found = [text + HOLE for text in found]
    return found


def _assigned(name: str, scope: ast.AST, module: ast.Module) -> list[ast.expr]:
    return [
        each.value
        for where in (scope, module)
        for each in ast.walk(where)
        if isinstance(each, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == name for target in each.targets)
        and (where is scope or each in module.body)
    ]


def _returned(name: str, module: ast.Module) -> list[ast.expr]:
    functions = [
        each for each in module.body if isinstance(each, ast.FunctionDef) and each.name == name
    ]
    return [
        each.value
        for function in functions
        for each in ast.walk(function)
        if isinstance(each, ast.Return) and each.value is not None
    ]


def constructed() -> set[str]:
    """Denials, refusals, failed binds and answers to kube-scheduler."""
    found = {
        text
        for name, module in sources()
        if concerned(name)
        for scope, call in calls(module)
        if called(call) in CONSTRUCTORS
        for text in _argument_texts(name, module, scope, call)
    }
    return found - {""}


def _argument_texts(name: str, module: ast.Module, scope: ast.AST, call: ast.Call) -> list[str]:
    try:
        return texts(argument(call, *CONSTRUCTORS[called(call)]), scope, module)
    except Unreadable as error:
        raise Unreadable(f"{name}:{call.lineno}: {error}") from error


def concerned(name: str) -> bool:
    """Is it a package that talks to users? The others have functions of the same names."""
    return name.split("/")[0] in {"admission", "vendors", "quota", "control"}


def calls(module: ast.Module) -> Iterator[tuple[ast.AST, ast.Call]]:
    """All calls, each with the outermost function or method that it stands in."""
    scopes: list[ast.stmt] = []
    for statement in module.body:
        scopes += statement.body if isinstance(statement, ast.ClassDef) else [statement]
    for scope in scopes:
        yield from ((scope, node) for node in ast.walk(scope) if isinstance(node, ast.Call))


def called(call: ast.Call) -> str:
    """The last name of what is called."""
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def argument(call: ast.Call, position: int, name: str) -> ast.expr:
    """An argument by position or name."""
    named = {each.arg: each.value for each in call.keywords}
    return named[name] if name in named else call.args[position]


def warners() -> set[str]:
    """Where ``warnings=`` is given, and what."""
    return {
        f"{name}: {ast.unparse(each.value)}"
        for name, module in sources()
        for each in ast.walk(module)
        if isinstance(each, ast.keyword) and each.arg == "warnings"
    }


def warned() -> set[str]:
    """Warnings, and why a pod is left alone."""
    found: set[str] = set()
    for name, module in sources():
        wanted = WARNERS.get(name, set())
        functions = [
            each
            for each in module.body
            if isinstance(each, ast.FunctionDef) and each.name in wanted
        ]
        assert {each.name for each in functions} == wanted
        for function in functions:
            found |= _sentences(function)
    return found


def _sentences(function: ast.FunctionDef) -> set[str]:
    """Its texts of several words, its docstring aside."""
    docstring = ast.get_docstring(function, clean=False)
    inner = {
        id(part)
        for each in ast.walk(function)
        if isinstance(each, ast.JoinedStr)
        for part in ast.walk(each)
        if part is not each
    }
    found = {
        text
        for each in ast.walk(function)
        if id(each) not in inner
        and (
            isinstance(each, ast.JoinedStr)
            or (isinstance(each, ast.Constant) and isinstance(each.value, str))
        )
        for text in texts(each, function, ast.Module([], []))
    }
    return {text for text in found if text != docstring and len(text.split()) > 2}


def malformed() -> set[str]:
    """What is said of annotations and amounts that cannot be read."""
    found: set[str] = set()
    for name in MALFORMED:
        module = tree(PACKAGE / name)
        for scope, call in calls(module):
            if called(call) == "Malformed":
                found.update(texts(call.args[0], scope, module))
    return found


def of_policies() -> set[str]:
    """Messages of the policies that need no server of ours."""
    found: set[str] = set()
    for path in sorted(WEBHOOKS.glob("*.yaml")):
        for document in yamls.load_all(path.read_text()):
            if document and document["kind"] == "ValidatingAdmissionPolicy":
                validations: list[dict[str, Any]] = document["spec"]["validations"]
                found |= {each["message"] for each in validations}
    return found


def reasons() -> set[str]:
    """Why a card or a node does not serve."""
    return {*map(str, Reason), NODE_UNREGISTERED}


def of_events() -> set[str]:
    """Reasons of events: all names in capitals of the files that know what a Notice is."""
    return {
        node.value
        for _, module in sources()
        if any(
            isinstance(each, ast.ImportFrom) and any(a.name == "Notice" for a in each.names)
            for each in ast.walk(module)
        )
        for node in ast.walk(module)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and CAMEL.fullmatch(node.value)
    } - NO_REASONS
