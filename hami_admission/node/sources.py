"""Files, environment and flags to one value of options; all mistakes are told at once.

Later sources win: environment, flags, section ``nvidia`` of device-config.yaml, the entry of the
node in config.json (facts/node.md 1.2). What is null or an empty text is not given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

import msgspec

from hami_admission.node.options import (
    DEVICE_CONFIG,
    ENVIRONMENT,
    FLAGS,
    NODE_CONFIG,
    OF_CONTROL,
    WITHOUT_EFFECT,
    Names,
    Options,
    Xids,
)
from hami_admission.settings import Mistakes
from hami_admission.wire import wishes
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORMS: dict[str, Any] = get_type_hints(Options, include_extras=True)
_FILE, _NODES = "device-config.yaml", "config.json"
_CDI = ("cdi-annotations", "cdi-cri")


class Reading(msgspec.Struct, frozen=True):
    """The options, and lines about what was found and has no effect."""

    options: Options
    notes: tuple[str, ...] = ()


def read(
    *,
    device_config: object = None,
    node_config: object = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
) -> Reading:
    """The options of the node that is named by ``NODE_NAME`` or ``node-name``; raises Mistakes.

    ``device_config`` and ``node_config`` are the decoded files, None where there is none. A flag is
    named without its dashes in front and has a text as its value.
    """
    found = _Found()
    for name, value in (environment or {}).items():
        if name in ENVIRONMENT:
            found.text(name, ENVIRONMENT[name], value)
    _read_flags(found, flags or {})
    _read_section(found, device_config)
    node = found.given.get("node")
    if isinstance(node, str):
        _read_entries(found, node_config, node)
    else:
        found.mistakes.append("NODE_NAME: not set; set it from spec.nodeName of the agent's pod")
    _read_together(found)
    if found.mistakes:
        raise Mistakes(found.mistakes)
    return Reading(Options(**found.given), tuple(found.notes))


class _Found:
    """What was read so far: values by the field of the options, mistakes and notes."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}
        self.mistakes: list[str] = []
        self.notes: list[str] = []

    def wrong(self, place: str, value: object, fix: str) -> None:
        """A mistake at a place, with what to write there."""
        self.mistakes.append(f"{place}: {_shown(value)}: write {fix}")

    def text(self, place: str, field: str, value: str) -> None:
        """A value of the environment or of a flag."""
        if not value.strip():
            return
        try:
            self.given[field] = _from_text(value.strip(), _FORMS[field])
        except (msgspec.ValidationError, Malformed, ValueError):
            self.wrong(place, value, _fix(field))

    def value(self, place: str, field: str, value: object) -> None:
        """A value of a file."""
        if value is None or value == "":
            return
        try:
            self.given[field] = msgspec.convert(value, _FORMS[field])
        except msgspec.ValidationError:
            self.wrong(place, value, _fix(field))

    def section(self, place: str, names: Names, values: object) -> None:
        """All values of a mapping in a file."""
        if values is None:
            return
        if not isinstance(values, dict):
            self.wrong(place, values, "a mapping")
            return
        for key, value in values.items():
            field = names.get(key) if isinstance(key, str) else None
            if isinstance(field, str):
                self.value(f"{place}.{key}", field, value)
            elif field is not None:
                inner = _folded(value) if isinstance(value, dict) else value
                self.section(f"{place}.{key}", field, inner)
            elif key not in OF_CONTROL:
                self.notes.append(f"{place}: {_unknown(key, names)}")


def _read_flags(found: _Found, flags: Mapping[str, str]) -> None:
    for name, value in flags.items():
        if name in FLAGS:
            found.text(f"--{name}", FLAGS[name], value)
        elif name in WITHOUT_EFFECT:
            instead = f"nvidia.{WITHOUT_EFFECT[name]} in {_FILE}"
            found.notes.append(f"--{name}: has no effect, as in HAMi; write {instead}")
        else:
            found.notes.append(f"--{_shown(name)}: no such flag; ignored")


def _read_section(found: _Found, document: object) -> None:
    if document is None:
        return
    if isinstance(document, dict):
        found.section(f"{_FILE}: nvidia", DEVICE_CONFIG, document.get("nvidia"))
    else:
        found.wrong(_FILE, document, "a mapping with a section nvidia")


def _read_entries(found: _Found, document: object, node: str) -> None:
    """The entries of this node, a later one over an earlier; those of others are not judged."""
    if document is None:
        return
    if not isinstance(document, dict):
        found.wrong(_NODES, document, "a mapping with a list nodeconfig")
        return
    entries = _folded(document).get("nodeconfig")
    if entries is None:
        entries = []
    if not isinstance(entries, list):
        found.wrong(f"{_NODES}: nodeconfig", entries, "a list with an entry for each node")
        return
    for n, entry in enumerate(entries):
        place = f"{_NODES}: nodeconfig[{n}]"
        if not isinstance(entry, dict):
            found.wrong(place, entry, "a mapping with the name of a node")
        elif _folded(entry).get("name") == node:
            found.section(place, NODE_CONFIG, _folded(entry))


def _folded(values: dict[object, object]) -> dict[object, object]:
    """Keys in lower case: upstream's decoder of JSON takes them in any."""
    return {key.lower() if isinstance(key, str) else key: each for key, each in values.items()}


def _read_together(found: _Found) -> None:
    """What is right alone and wrong together."""
    strategies = found.given.get("list_strategies", ())
    if found.given.get("mode") == "mig" and any(each in _CDI for each in strategies):
        found.mistakes.append(
            "DEVICE_LIST_STRATEGY: CDI does not go with operatingmode mig; "
            "write envvar or volume-mounts"
        )
    if found.given.get("mode") == "mig" and found.given.get("decides") == "devices":
        found.mistakes.append(
            "mode: devices does not go with operatingmode mig, whose instances have no device ids; "
            "write environment"
        )


def _from_text(text: str, form: Any) -> object:
    kind = get_args(form)[0]
    if kind is bool:
        return wishes.flag(text)
    if kind is Xids:
        return _xids(text)
    if get_origin(kind) is tuple:
        return msgspec.convert(wishes.members(text), form, strict=False)
    return msgspec.convert(text, form, strict=False)


def _xids(text: str) -> Xids:
    """``all`` and ``xids`` mean all; raises ValueError."""
    words = {word.lower() for word in wishes.members(text)}
    codes = words - {"all", "xids"}
    if not all(word.isascii() and word.isdigit() for word in codes):
        raise ValueError(text)
    return Xids(frozenset(map(int, codes)), everything=codes != words)


def _fix(field: str) -> str:
    """What to write, in words."""
    return str(get_args(_FORMS[field])[-1].description)


def _unknown(key: object, names: Names) -> str:
    meant = [name for name in names if isinstance(key, str) and name.lower() == key.lower()]
    hint = f"; meant is {meant[0]}?" if meant else ""
    return f"{_shown(key)}: no such setting, ignored{hint}"


def _shown(value: object) -> str:
    """A value in a line, never longer than a line, whatever strangers wrote."""
    if isinstance(value, str):
        return repr(value[:80])
    if isinstance(value, bool | float) or value is None:
        return repr(value)
    if isinstance(value, int):
        return repr(value) if value.bit_length() <= 64 else "a number beyond all bounds"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return f"a {type(value).__name__}"
