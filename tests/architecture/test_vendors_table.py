"""docs/vendors.md is what the values of the families have, and each has something to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.architecture import vendors_table

if TYPE_CHECKING:
    from hami_admission.vendors.vendor import Vendor

VENDORS = vendors_table.families()
WORDS = [vendor.word for vendor in VENDORS]


def test_the_document_is_as_the_values_have_it() -> None:
    again = "run: python -m tests.architecture.vendors_table"
    assert vendors_table.DOCUMENT.read_text() == vendors_table.written(), again


@pytest.mark.parametrize("vendor", VENDORS, ids=WORDS)
def test_a_family_says_what_its_value_cannot_show(vendor: Vendor) -> None:
    about = vendor.about
    assert about.title
    assert about.sharing
    assert about.plugin
    assert bool(about.topology) == (vendor.choose is not None or vendor.score is not None)


@pytest.mark.parametrize("vendor", VENDORS, ids=WORDS)
def test_the_sample_is_placed_and_its_table_is_there(vendor: Vendor) -> None:
    assert vendors_table.brought(vendor)
    assert (vendors_table.ROOT / vendors_table.table_of(vendor)).exists()
