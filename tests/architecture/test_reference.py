"""docs/annotations.md is what the code says, and the code says something of every name."""

from __future__ import annotations

from tests.architecture import reference


def test_the_document_is_as_the_code_has_it() -> None:
    again = "run: python -m tests.architecture.reference"
    assert reference.DOCUMENT.read_text() == reference.written(), again


def test_every_key_says_what_it_is() -> None:
    silent = [
        name
        for name, _, doc in reference.constants()
        if doc != "Value." and doc.partition(": ")[0] not in reference.GROUPS
    ]
    assert silent == []
    assert len(reference.constants()) > 40


def test_every_resource_says_what_it_is() -> None:
    assert [name for name, _, doc in reference.resources() if not doc] == []
    assert len(reference.resources()) == 7
