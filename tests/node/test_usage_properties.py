"""Tables of any regions: sums are kept, and nothing is shown twice."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hami_admission.node import usage
from hami_admission.node.region import V1, Card, Process, Region, Used
from hami_admission.node.usage import CardUse, Owner, Share, Table
from tests.budgets import times
from tests.node.regions import NOW

UUIDS = ("GPU-a", "GPU-b", "GPU-c")
amounts = st.integers(0, 2**63 - 1)
percents = st.integers(0, 100)


@st.composite
def made(draw: st.DrawFn) -> Region:
    cards = draw(st.lists(st.builds(
        Card, st.just(0), st.sampled_from(UUIDS), amounts, st.integers(0, 200)
    ), max_size=4))  # fmt: skip
    used = st.builds(Used, amounts, amounts, amounts, amounts, amounts, percents)
    on_cards = st.tuples(*[used] * len(cards))
    processes = st.builds(
        Process, st.just(1), st.integers(0, 9), st.just(1), st.booleans(), on_cards
    )
    return Region(
        layout=V1,
        version=(1, 2),
        cards=tuple(Card(n, c.uuid, c.memory_limit, c.core_limit) for n, c in enumerate(cards)),
        processes=tuple(draw(st.lists(processes, max_size=3))),
        utilization_switch=draw(st.integers(-1, 2)),
        recent_kernel=draw(st.integers(-1, 2)),
        priority=draw(st.integers(0, 2)),
        last_kernel=draw(st.none() | st.integers(0, 2 * NOW)),
    )


folders = st.sampled_from("abcdef")
owners = st.builds(Owner, *[st.sampled_from("xy")] * 4)
shares = st.builds(Share, st.none() | amounts, st.none() | percents)
facts = st.lists(
    st.builds(
        CardUse,
        uuid=st.sampled_from(UUIDS),
        index=st.integers(0, 7),
        type=st.just("A100"),
        utilization=st.none() | percents,
        processes=st.dictionaries(st.integers(0, 9), shares, max_size=4),
    ),
    max_size=3,
    unique_by=lambda card: card.uuid,
)


@st.composite
def given_of_a_node(
    draw: st.DrawFn,
) -> tuple[dict[str, Region], dict[str, Owner], list[CardUse]]:
    return (
        draw(st.dictionaries(folders, made(), max_size=4)),
        draw(st.dictionaries(folders, owners, max_size=5)),
        draw(facts),
    )


tables: st.SearchStrategy[Table] = given_of_a_node().map(
    lambda node: usage.rows(node[0], node[1], node[2], now=NOW, unreadable=1)
)


@settings(max_examples=times(0.5))
@given(given_of_a_node())
def test_every_region_is_counted_once_and_every_card_of_what_is_shown(
    node: tuple[dict[str, Region], dict[str, Owner], list[CardUse]],
) -> None:
    found, owned, cards = node
    table = usage.rows(found, owned, cards, now=NOW, unreadable=1)
    assert sum(table.regions.values()) == len(found) + 1
    assert min(table.regions.values()) >= 0
    assert len({each.owner for each in table.rows}) <= table.regions["shown"]
    assert {each.uuid for each in table.rows} <= {card.uuid for card in cards}
    assert {each.owner for each in table.rows} <= set(owned.values())
    if table.regions["replaced"] == 0 and table.strange_cards == 0:
        shown = [each for key, each in found.items() if key in owned]
        assert sum(row.memory_used for row in table.rows) == sum(
            process.used[card.position].total
            for each in shown
            for card in each.cards
            for process in each.processes
        )


@settings(max_examples=times(0.5))
@given(tables)
def test_no_two_rows_have_the_same_labels(table: Table) -> None:
    labels = [
        (row.owner.namespace, row.owner.pod, row.owner.container, row.position)
        for row in table.rows
    ]
    assert len(set(labels)) == len(labels)
    assert labels == sorted(labels)
    for row in table.rows:
        assert 1 <= row.core_limit <= 100
        assert row.idle is None or row.idle >= 0
