"""The cards as the node offers them, and the texts that say so."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hami_admission.model.device import Device, Profile
from hami_admission.node import inventory
from hami_admission.node.facts import CardFacts, Link
from hami_admission.node.options import Options
from hami_admission.wire import keys, registers

A = CardFacts("GPU-a", 0, "A100-SXM4-40GB", 40960, numa=0, links=(Link("GPU-b", 12, "same-cpu"),))
B = CardFacts("GPU-b", 1, "NVIDIA A100", 40960, numa=1, links=(Link("GPU-a", 12, "same-cpu"),))
PROFILE = Profile("1g.5gb", 4864, 15, 1, ((0, 1), (1, 1), (2, 1)))


def test_cards_are_split_scaled_and_named() -> None:
    options = Options(split=4, memory_scaling=1.5, core_scaling=2)
    assert inventory.offered((B, A), options, {"GPU-b"}) == (
        Device("GPU-a", 0, "NVIDIA-A100-SXM4-40GB", 4, 61440, 200),
        Device("GPU-b", 1, "NVIDIA A100", 4, 61440, 200, numa=1, healthy=False),
    )


def test_cards_that_are_hidden_are_not_offered() -> None:
    assert inventory.offered((A, B), Options(hidden_uuids=frozenset({"GPU-a"})), ())[0].index == 1
    assert inventory.offered((A, B), Options(hidden_indexes=frozenset({0, 1})), ()) == ()


def test_memory_that_the_driver_does_not_know_is_what_the_node_says() -> None:
    unknown = msgspec.structs.replace(A, memory_mib=0, numa=-1)
    (found,) = inventory.offered((unknown,), Options(preconfigured_memory=1000), ())
    assert (found.memory_mib, found.numa) == (1000, 0)


def test_a_card_in_mig_mode_is_neither_split_nor_scaled() -> None:
    cut = msgspec.structs.replace(A, mig=True, profiles=(PROFILE,))
    (found,) = inventory.offered((cut,), Options(split=10, memory_scaling=2), ())
    assert (found.mode, found.slots, found.memory_mib, found.cores) == ("mig", 3, 40960, 100)
    assert registers.decode(registers.encode((found,)))[0].profiles == (PROFILE,)


def test_links_are_scored_in_both_directions() -> None:
    devices = inventory.offered((A, B), Options(), ())
    found = inventory.notes((A, B), devices, Options())
    scores = found[keys.NVIDIA_SCORES]
    assert scores is not None
    assert registers.decode_scores(scores, ("GPU-a", "GPU-b")) == ((0, 1220), (1220, 0))
    none = inventory.notes((A, B), devices, Options(topology_scores=False))
    assert none[keys.NVIDIA_SCORES] is None


def test_lines_that_only_one_side_sees_count_nothing_and_are_told() -> None:
    blind = msgspec.structs.replace(B, links=(Link("GPU-a", 11, "same-cpu"),))
    devices = inventory.offered((A, blind), Options(), ())
    scores = inventory.notes((A, blind), devices, Options())[keys.NVIDIA_SCORES]
    assert scores is not None
    assert registers.decode_scores(scores, ("GPU-a", "GPU-b")) == ((0, 20), (20, 0))
    assert inventory.asymmetric((A, blind)) == [("GPU-a", "GPU-b")]
    assert inventory.asymmetric((A, B)) == []


facts = st.lists(
    st.builds(
        CardFacts,
        st.sampled_from([f"GPU-{n}" for n in range(6)]),
        st.integers(0, 7),
        st.sampled_from(["A100", "NVIDIA H100"]),
        st.integers(0, 2**20),
        numa=st.integers(-1, 3),
    ),
    unique_by=lambda card: card.uuid,
    max_size=6,
)


@given(facts, st.randoms(use_true_random=False))
def test_the_text_depends_on_the_cards_and_not_on_their_order(
    cards: list[CardFacts], chance: object
) -> None:
    options = Options()
    shuffled = sorted(cards, key=lambda _: chance.random())  # type: ignore[attr-defined]
    one, other = (inventory.offered(each, options, ()) for each in (cards, shuffled))
    assert inventory.notes(cards, one, options) == inventory.notes(shuffled, other, options)
    assert registers.decode(registers.encode(one)) == one
