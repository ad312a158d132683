"""EndpointSlice JSON (discovery.k8s.io/v1): the addresses of who serves."""

from __future__ import annotations

import ipaddress

import msgspec

from hami_admission.wire.errors import Malformed


class _Endpoint(msgspec.Struct):
    addresses: list[str] = msgspec.field(default_factory=list)


class _Wire(msgspec.Struct):
    endpoints: list[_Endpoint] | None = None


_DECODER = msgspec.json.Decoder(_Wire)


def decode(body: bytes) -> tuple[str, ...]:
    """Its addresses, ready or not; raises Malformed, also where there are none."""
    try:
        wire = _DECODER.decode(body)
        found = [each for endpoint in wire.endpoints or () for each in endpoint.addresses]
        addresses = tuple(str(ipaddress.ip_address(each)) for each in found)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise Malformed(f"not an EndpointSlice of addresses: {error}") from error
    if not addresses:
        raise Malformed("an EndpointSlice without an address")
    return addresses
