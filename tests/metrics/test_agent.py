"""What an agent says of itself."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from hami_admission.metrics import agent
from hami_admission.metrics.agent import AgentView


class View:
    def __init__(self, view: AgentView) -> None:
        self.view = view

    def collect(self) -> object:
        yield from agent.families(self.view)


def text(view: AgentView) -> str:
    registry = CollectorRegistry()
    registry.register(View(view))  # type: ignore[arg-type]
    return generate_latest(registry).decode()


def test_everything_is_there_also_where_it_is_zero() -> None:
    shown = text(AgentView({}, {}, 0))
    for name in agent.COUNTED:
        assert f"\n{name}_total 0.0\n" in shown
    assert "\nhami_admission_agent_foreign_devices 0.0\n" in shown


def test_counts_cards_and_the_devices_of_others() -> None:
    view = AgentView({"allocations": 3, "answer_seconds": 0.5}, {"a": "", "b": "Xid 79"}, 2)
    shown = text(view)
    assert "\nhami_admission_agent_allocations_total 3.0\n" in shown
    assert "\nhami_admission_agent_answer_seconds_total 0.5\n" in shown
    assert '\nhami_admission_agent_card_healthy{device_uuid="a",reason=""} 1.0\n' in shown
    assert '\nhami_admission_agent_card_healthy{device_uuid="b",reason="Xid 79"} 0.0\n' in shown
    assert "\nhami_admission_agent_foreign_devices 2.0\n" in shown
