"""Who may send reviews: by address, by certificate, by both; nobody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hami_admission.admission import senders

RANGES = ("10.1.0.0/16", "192.0.2.7", "2001:db8::/32")

WHERE: dict[str | None, bool] = {
    "10.1.2.3": True,
    "10.2.0.1": False,
    "192.0.2.7": True,
    "192.0.2.8": False,
    "::ffff:10.1.2.3": True,
    "::ffff:10.2.0.1": False,
    "2001:db8::5": True,
    "2001:db9::5": False,
    "fe80::1%eth0": False,
    "127.0.0.1": False,
    "": False,
    "10.1.2.3, 8.8.8.8": False,
    None: False,
}


@pytest.mark.parametrize("address", WHERE)
def test_a_sender_by_address(address: str | None) -> None:
    rule = senders.rule(RANGES, certificate=False)
    found = senders.judge(rule, address, certificate=True)
    assert (found is None) is WHERE[address]
    if found is not None:
        assert found.wrong == "address"
        assert str(address) in found.text


@pytest.mark.parametrize("address", WHERE)
def test_where_nothing_is_named_everybody_may(address: str | None) -> None:
    rule = senders.rule(None, certificate=False)
    assert senders.judge(rule, address, certificate=False) is None


@pytest.mark.parametrize(
    ("address", "shown", "wrong"),
    [
        ("10.1.2.3", True, None),
        ("10.1.2.3", False, "certificate"),
        ("10.2.0.1", True, "address"),
        ("10.2.0.1", False, "address"),
    ],
)
def test_where_both_are_wanted_one_is_not_enough(
    address: str, shown: bool, wrong: str | None
) -> None:
    rule = senders.rule(RANGES, certificate=True)
    found = senders.judge(rule, address, certificate=shown)
    assert (found.wrong if found is not None else None) == wrong


def test_a_certificate_alone_is_enough_from_anywhere() -> None:
    rule = senders.rule(None, certificate=True)
    assert senders.judge(rule, "8.8.8.8", certificate=True) is None
    assert senders.judge(rule, "8.8.8.8", certificate=False) is not None


@given(st.ip_addresses(), st.ip_addresses())
def test_a_range_of_one_address_is_that_address(one: object, other: object) -> None:
    rule = senders.rule([str(one)], certificate=False)
    found = senders.judge(rule, str(other), certificate=False)
    mapped = getattr(other, "ipv4_mapped", None) or other
    assert (found is None) is (mapped == one)


def test_a_range_of_nobody_lets_nobody_in() -> None:
    assert senders.judge(senders.rule([], certificate=False), "10.1.2.3", certificate=True)
