from __future__ import annotations

import msgspec
import pytest

from hami_admission.kube import errors, reflector
from hami_admission.kube.reflector import Listed, Listing, Reached, Reflector, Removed, Seen


def page(*names: str, version: str = "7", more: str = "") -> bytes:
    """One page of a list."""
    metadata = {"resourceVersion": version, "continue": more}
    return msgspec.json.encode({"metadata": metadata, "items": [{"name": n} for n in names]})


def line(kind: str, **body: object) -> bytes:
    """One line of a watch."""
    return msgspec.json.encode({"type": kind, "object": body})


def test_a_list_in_pages_is_marked_at_both_ends() -> None:
    following = Reflector("/pods", "spec.schedulerName=x")
    assert following.query() == {
        "fieldSelector": "spec.schedulerName=x",
        "limit": str(reflector.PAGE),
    }
    first = following.page(page("a", "b", more="token"))
    assert [type(each) for each in first] == [Listing, Seen, Seen]
    assert following.listing
    assert following.query()["continue"] == "token"
    second = following.page(page("c"))
    assert [type(each) for each in second] == [Seen, Listed]
    assert second[-1] == Listed(7)
    assert not following.listing


def test_a_watch_goes_on_where_the_last_event_or_bookmark_was() -> None:
    following = Reflector("/pods")
    following.page(page())
    assert following.query()["resourceVersion"] == "7"
    assert following.query()["allowWatchBookmarks"] == "true"
    for kind, expected in (("ADDED", Seen), ("MODIFIED", Seen), ("DELETED", Removed)):
        signal = following.line(line(kind, metadata={"resourceVersion": "8"}))
        assert type(signal) is expected
    assert following.line(line("BOOKMARK", metadata={"resourceVersion": "9"})) == Reached(9)
    assert following.query()["resourceVersion"] == "9"


def test_gone_is_raised_and_a_restart_lists_again() -> None:
    following = Reflector("/pods")
    following.page(page())
    with pytest.raises(errors.Gone, match="too old"):
        following.line(line("ERROR", code=410, message="too old"))
    following.restart()
    assert following.listing
    assert "resourceVersion" not in following.query()


def test_an_empty_list_without_items_is_a_list() -> None:
    body = b'{"metadata": {"resourceVersion": "1"}, "items": null}'
    assert [type(each) for each in Reflector("/pods").page(body)] == [Listing, Listed]
