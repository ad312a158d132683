"""What families make of what was read."""

from __future__ import annotations

import pytest

from hami_admission.model.names import ResourceNames
from hami_admission.model.request import Request
from hami_admission.vendors import parse, refine
from hami_admission.vendors.vendor import NOTHING, Reading
from tests import build

NAMES = ResourceNames(count="x/card", memory="x/mem")
READ = parse.reader(vendor="X", names=NAMES, defaults=parse.Defaults())


def asked(limits: build.Json | None, requests: build.Json | None = None) -> refine.Asked:
    """What a family gets of a container with these amounts, in a pod with one annotation."""
    found: list[refine.Asked] = []

    def keep(given: refine.Asked) -> Reading:
        found.append(given)
        return given.reading

    container = build.container(limits=limits, requests=requests)
    parsed = refine.then(READ, NAMES, keep)
    parsed(build.pod(container).containers[0], {"mode": "wrong"})
    return found[0]


def test_only_requests_are_refined() -> None:
    def refuse(given: refine.Asked) -> Reading:
        raise AssertionError(given)

    parsed = refine.then(READ, NAMES, refuse)
    nothing, bad = (
        build.pod(build.container(limits=limits)).containers[0]
        for limits in ({"cpu": 1}, {"x/card": "many"})
    )
    assert parsed(nothing, {}) is NOTHING
    assert parsed(bad, {}).objections


def test_mistakes_are_said_where_they_stand() -> None:
    given = asked({"x/card": 2}, {"x/card": 2, "x/mem": 5})
    assert given.given == {"x/card": 2, "x/mem": 5}
    assert [str(given.wrong(name, "less")) for name in ("x/card", "x/mem", "x/no")] == [
        "spec.containers[0].resources.limits[x/card]: Invalid value: 2: less",
        "spec.containers[0].resources.requests[x/mem]: Invalid value: 5: less",
        "spec.containers[0].resources.requests[x/no]: Invalid value: absent: less",
    ]
    assert str(given.wrong_note("mode", "right")) == (
        "metadata.annotations[mode]: Invalid value: 'wrong': right"
    )


@pytest.mark.parametrize(
    ("wanted", "lacking"),
    [
        ({"x/card": 1}, {}),
        ({"x/card": 2}, {"x/card": 2}),
        ({"x/mem": 3}, {"x/mem": 3}),
        ({"": 1}, {}),
    ],
)
def test_limits_that_are_lacking(wanted: dict[str, int], lacking: dict[str, int]) -> None:
    assert asked({"x/card": "1"}).lacking(wanted) == lacking


def test_what_is_asked_otherwise() -> None:
    reading = asked({"x/card": 1}).reading.asking(count=3, trait="t")
    assert reading.request == Request("X", 3, None, 100, 0, trait="t")
