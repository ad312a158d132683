"""EndpointSlices: addresses, or a word of what is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hami_admission.wire import endpoints
from hami_admission.wire.errors import Malformed


def a_slice(*addresses: Any) -> bytes:
    """With one endpoint for each list of addresses."""
    return json.dumps({"endpoints": [{"addresses": each} for each in addresses]}).encode()


def test_all_addresses_of_all_endpoints_in_one_spelling() -> None:
    body = a_slice(["10.0.0.1"], ["10.0.0.2", "2001:DB8:0::1"])
    assert endpoints.decode(body) == ("10.0.0.1", "10.0.0.2", "2001:db8::1")


BAD = {
    "nobody": (b"{}", "without an address"),
    "null": (b'{"endpoints": null}', "without an address"),
    "an endpoint of nothing": (a_slice([]), "without an address"),
    "a name": (a_slice(["10.0.0.1"], ["api.example.org"]), "api.example.org"),
    "a range": (a_slice(["10.0.0.0/8"]), "10.0.0.0/8"),
    "a number": (a_slice([1]), "expected `str`"),
    "no JSON": (b"{", "truncated"),
}


@pytest.mark.parametrize(("body", "word"), BAD.values(), ids=BAD)
def test_what_has_no_address_is_said(body: bytes, word: str) -> None:
    with pytest.raises(Malformed, match="(?i)" + word):
        endpoints.decode(body)
