"""What the process does, counted while it does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client import CollectorRegistry

BUCKETS = (
    *(0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25),
    *(0.5, 1, 2.5, 10),
)
"""Seconds; finest where our promises are: 5, 10 and 100 ms."""


class Meters:
    """One set per process; ``registry`` is where it is read."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Histogram(
            "hami_admission_request_duration_seconds",
            "Time from the whole request to its answer, by route and status.",
            ("route", "status"),
            buckets=BUCKETS,
            registry=registry,
        )
        self.expired = Counter(
            "hami_admission_bookings_expired",
            "Bookings whose pod was not bound in time.",
            registry=registry,
        )
        waits = Histogram(
            "hami_admission_node_lock_wait_seconds",
            "Time that a bind waited for a node whose device plugin serves one pod at a time, by"
            " whether it got it.",
            ("result",),
            buckets=BUCKETS,
            registry=registry,
        )
        self._waits = {
            done: waits.labels("taken" if done else "given_up") for done in (True, False)
        }
        self._registry = registry
        self._children: dict[tuple[str, int], Histogram] = {}

    def request(self, route: str, status: int, seconds: float) -> None:
        """A request was answered; ``route`` is one of ours, not what the client wrote."""
        child = self._children.get((route, status))
        if child is None:
            child = self._children[route, status] = self._requests.labels(route, str(status))
        child.observe(seconds)

    def lock_wait(self, seconds: float, taken: bool) -> None:
        """A bind has waited for the lock of a node."""
        self._waits[taken].observe(seconds)

    def expect(self, routes: Iterable[str]) -> None:
        """Begin at zero: of a series that begins with its first request, that one is not seen."""
        for route in routes:
            self._children[route, 200] = self._requests.labels(route, "200")

    def standing(
        self, leads: Callable[[], bool], ready: Callable[[], bool], ends: Callable[[], float]
    ) -> None:
        """How it stands, asked at each scrape; ``ends`` is the certificate's last second."""
        for name, told, ask in (
            ("leads", "1 where this replica gives quota back and writes events.", leads),
            ("ready", "1 while /readyz says so.", ready),
            (
                "certificate_expiry_timestamp_seconds",
                "Unix time at which the served certificate ends; 0 before there is one.",
                ends,
            ),
        ):
            gauge = Gauge(f"hami_admission_{name}", told, registry=self._registry)
            gauge.set_function(ask)
