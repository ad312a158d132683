"""Node JSON."""

from __future__ import annotations

import msgspec
import pytest

from hami_admission.wire import nodes
from hami_admission.wire.errors import Malformed


def test_a_node_is_its_name_annotations_labels_and_amounts() -> None:
    body = msgspec.json.encode({
        "kind": "Node",
        "metadata": {"name": "n", "annotations": {"a": "b"}, "labels": {"c": "d"}},
        "status": {"allocatable": {"cpu": "4"}, "capacity": {"gpu": 8}, "phase": "Running"},
    })
    assert nodes.decode(body) == nodes.NodeFacts(
        "n", {"a": "b"}, {"cpu": "4"}, {"gpu": 8}, {"c": "d"}
    )


@pytest.mark.parametrize(
    "body",
    [
        b'{"metadata": {"name": "n"}}',
        b'{"metadata": {"name": "n", "annotations": null}, "status": null}',
        b'{"metadata": {"name": "n", "annotations": {}}, "status": {"allocatable": null}}',
    ],
)
def test_what_is_absent_is_empty(body: bytes) -> None:
    assert nodes.decode(body) == nodes.NodeFacts("n", {}, None)


WRONG = {
    "no name": (b'{"metadata": {}}', r"metadata.name is missing"),
    "no metadata": (b"{}", r"metadata.name is missing"),
    "a name that is no text": (b'{"metadata": {"name": 1}}', r"Expected `str`.*\$.metadata.name"),
    "an annotation that is no text": (
        b'{"metadata": {"name": "n", "annotations": {"a": 1}}}',
        r"Expected `str`.*annotations",
    ),
    "an amount that is none": (
        b'{"metadata": {"name": "n"}, "status": {"allocatable": {"cpu": [4]}}}',
        r"allocatable",
    ),
}


@pytest.mark.parametrize("sentence", WRONG)
def test_wrong(sentence: str) -> None:
    body, pattern = WRONG[sentence]
    with pytest.raises(Malformed, match=rf"^not a Node: .*{pattern}"):
        nodes.decode(body)
