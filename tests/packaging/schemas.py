"""Objects against the schemas of each Kubernetes, as kubernetes-validate brings them.

Its own ``validate`` reads all definitions again for each object, some tenths of a second; here they
are read once for each version.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema
from kubernetes_validate import utils
from referencing import Registry, Resource

Json = dict[str, Any]

OLDEST = (1, 28)
"""The oldest Kubernetes that the chart is for."""

MINORS = [
    version
    for version in dict.fromkeys(map(utils.major_minor, utils.all_versions()))
    if tuple(map(int, version.split("."))) >= OLDEST
]

OF_OTHERS = {"cert-manager.io", "monitoring.coreos.com"}
"""Groups that Kubernetes has no schemas for."""


def mistakes(objects: list[Json], minor: str) -> list[str]:
    """One line for each object that this Kubernetes would not take, or warn about."""
    found = []
    for each in objects:
        if each["apiVersion"].partition("/")[0] in OF_OTHERS:
            continue
        line = _mistake(json.dumps(each, sort_keys=True), minor)
        if line:
            found.append(f"{each['kind']}/{each['metadata']['name']}: {line}")
    return found


@cache
def _mistake(text: str, minor: str) -> str:
    each = json.loads(text)
    group, _, version = each["apiVersion"].rpartition("/")
    prefix = f"{group.partition('.')[0]}-" if group else ""
    try:
        validator = _validator(f"{each['kind'].lower()}-{prefix}{version}.json", minor)
    except FileNotFoundError:
        return f"Kubernetes {minor} does not know {each['apiVersion']}"
    error = jsonschema.exceptions.best_match(validator.iter_errors(each))
    return "" if error is None else f"{error.json_path}: {error.message}"


@cache
def _validator(name: str, minor: str) -> Any:
    folder = f"kubernetes-json-schema/v{minor}.0-local-strict"
    schema = utils.schema_contents(f"{folder}/{name}", minor)
    registry = Resource.from_contents(schema) @ _definitions(folder, minor)
    return jsonschema.validators.Draft202012Validator(schema, registry=registry)


@cache
def _definitions(folder: str, minor: str) -> Registry[Any]:
    contents = utils.schema_contents(f"{folder}/_definitions.json", minor)
    return Resource.from_contents(contents) @ Registry()
