"""Events as the API server wants them."""

from __future__ import annotations

import msgspec

from hami_admission.wire import notices
from hami_admission.wire.notices import Notice

NOTICE = Notice(
    "team", "p", "u", "FilteringFailed", "no available node", "Warning", "CardNotHealth"
)


def test_an_event_about_a_pod() -> None:
    made = msgspec.json.decode(
        notices.encode(NOTICE, name="p.1", component="hami-scheduler", count=2, since=1.9)
    )
    assert made["metadata"] == {"name": "p.1", "namespace": "team"}
    about = made["involvedObject"]
    assert (about["kind"], about["namespace"], about["name"], about["uid"]) == (
        "Pod", "team", "p", "u",
    )  # fmt: skip
    assert (made["type"], made["reason"], made["message"], made["count"]) == (
        "Warning", "FilteringFailed", "no available node", 2,
    )  # fmt: skip
    assert made["source"] == {"component": "hami-scheduler"}
    assert made["firstTimestamp"] == made["lastTimestamp"] == "1970-01-01T00:00:01Z"


def test_a_repetition_says_how_often_and_what_now() -> None:
    made = msgspec.json.decode(notices.repeated(NOTICE, count=3, now=86400))
    assert made == {
        "count": 3, "lastTimestamp": "1970-01-02T00:00:00Z", "message": "no available node",
    }  # fmt: skip


def test_long_messages_are_cut_where_the_api_server_would_refuse_them() -> None:
    long = msgspec.structs.replace(NOTICE, message="x" * 5000)
    found = [
        msgspec.json.decode(notices.encode(long, name="n", component="c", count=1, since=0)),
        msgspec.json.decode(notices.repeated(long, count=1, now=0)),
    ]
    assert [len(each["message"]) for each in found] == [1024, 1024]
    assert all(each["message"].endswith("x…") for each in found)


def test_what_waits_to_be_written_is_no_longer_than_what_is_written() -> None:
    assert len(notices.cut(msgspec.structs.replace(NOTICE, message="x" * 5000)).message) == 1024
    assert notices.cut(NOTICE) is NOTICE
