"""Writes docs/annotations.md from the docstrings of wire/keys.py and settings.py.

``python -m tests.architecture.reference`` after a change there.
"""

from __future__ import annotations

import ast
from pathlib import Path

import msgspec

from hami_admission import settings
from hami_admission.wire import keys

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "annotations.md"

GROUPS = {
    "Pod, by users": "Annotations that users write",
    "Label of a pod or namespace": "Labels",
    "Label of a namespace": "Labels",
    "Label of a node": "Labels",
    "Pod, by the Binding": "Annotations that the Binding brings",
    "Pod, by a kubelet": "Annotations that others write",
    "Variable, set by us": "Variables of containers",
    "Variable, set by the agent": "Variables of containers",
    "Variable, by users": "Variables of containers",
    "Variable, by its device plugin": "Variables of containers",
    "Node, by its agent": "Annotations of nodes",
    "Node, by its device plugin": "Annotations of nodes",
    "Node, by operators": "Annotations of nodes",
    "Pod, by us": "Annotations that others write",
    "Node, by us": "Annotations of nodes",
    "Node, by us and by HAMi": "Annotations of nodes",
    "Pod, by its device plugin": "Annotations that others write",
    "Node, by upstream's plugin": "Annotations of nodes",
    "ResourceQuota, by us": "Annotations of a ResourceQuota",
    "Resource of others": "Resources of others",
}
"""How a docstring begins, and under which heading it stands. ``Value.`` stands nowhere."""

NOTES = {
    "Annotations that users write": "On the pod, so in the template of a workload. A value that"
    " cannot be read is refused, with what is allowed. More in [placement](placement.md).",
    "Annotations that the Binding brings": "Nobody else may write them, on no pod: a policy"
    " refuses it. They change no more once the pod is bound.",
    "Variables of containers": "What a pod gives for those that we set is overwritten, with a"
    " warning.",
}


def documented(text: str, of: str = "") -> list[tuple[str, str]]:
    """Names of constants, or of the fields of a class, each with the docstring below it."""
    body = ast.parse(text).body
    if of:
        (body,) = [each.body for each in body if isinstance(each, ast.ClassDef) and each.name == of]
    found = []
    for statement, below in zip(body, [*body[1:], None], strict=True):
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        if isinstance(statement, ast.AnnAssign):
            target = statement.target
        if isinstance(target, ast.Name):
            said = below.value if isinstance(below, ast.Expr) else None
            doc = said.value if isinstance(said, ast.Constant) else ""
            found.append((target.id, " ".join(str(doc).split()).replace("``", "`")))
    return found


def constants() -> list[tuple[str, str, str]]:
    """Name, text and docstring of every text of keys.py."""
    source = (ROOT / "hami_admission" / "wire" / "keys.py").read_text()
    return [
        (name, getattr(keys, name), doc)
        for name, doc in documented(source)
        if isinstance(getattr(keys, name), str)
    ]


def resources() -> list[tuple[str, str, str]]:
    """Resource, the setting that names it, and its docstring."""
    source = (ROOT / "hami_admission" / "settings.py").read_text()
    found = []
    for family, form in (
        ("nvidia", settings.NvidiaOptions),
        ("awsneuron", settings.NeuronOptions),
    ):
        docs = dict(documented(source, of=form.__name__))
        found += [
            (field.default, f"{family}.{field.encode_name}", docs[field.name])
            for field in msgspec.structs.fields(form)
            if isinstance(field.default, str) and "/" in field.default
        ]
    return found


def written() -> str:
    """The document."""
    lines = [
        "# Resources, annotations, labels, variables",
        "",
        "Written by `python -m tests.architecture.reference` from `hami_admission/wire/keys.py`"
        " and `hami_admission/settings.py`; edit those.",
        "",
        "## Resources",
        "",
        "Under `resources.limits` of a container; requests, if given, are equal. A quota counts"
        " them as `limits.<name>`, but not percentages and priorities ([quotas](quotas.md)). What"
        " the other families are called by is in [vendors](vendors.md).",
        "",
        "| Resource | Means | Setting that names it |",
        "| --- | --- | --- |",
    ]
    lines += [f"| `{name}` | {doc} | `{setting}` |" for name, setting, doc in resources()]
    grouped: dict[str, list[str]] = {}
    for _, text, doc in constants():
        who, colon, what = doc.partition(": ")
        if colon:
            grouped.setdefault(GROUPS[who], []).append(f"| `{text}` | {_by(who)} | {what} |")
    for heading in dict.fromkeys(GROUPS.values()):
        note = [NOTES[heading], ""] if heading in NOTES else []
        lines += ["", f"## {heading}", "", *note, "| Name | By | Means |", "| --- | --- | --- |"]
        lines += grouped[heading]
    return "\n".join(lines) + "\n"


def _by(who: str) -> str:
    """``Node, by its agent`` → ``its agent``; labels are of whom the docstring says."""
    _, comma, rest = who.partition(", ")
    return rest.removeprefix("by ").removeprefix("set by ") if comma else who.lower()


if __name__ == "__main__":
    DOCUMENT.write_text(written())
