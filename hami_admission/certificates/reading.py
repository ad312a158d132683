"""What a certificate says of itself, for who looks at it from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature

if TYPE_CHECKING:
    from datetime import datetime


class Reading(NamedTuple):
    """From when to when it is good, and for which DNS names."""

    begins: datetime
    ends: datetime
    names: tuple[str, ...]


def read(pem: bytes) -> Reading:
    """The first certificate of a chain; raises ValueError for what is none."""
    leaf = x509.load_pem_x509_certificate(pem)
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = tuple(found.value.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        names = ()
    return Reading(leaf.not_valid_before_utc, leaf.not_valid_after_utc, names)


def trusted(chain: bytes, bundle: bytes) -> bool:
    """Does some authority of the bundle stand behind the chain's first certificate?

    Each of the chain's certificates is signed by the next; the bundle may hold whoever signed one.
    """
    try:
        known = x509.load_pem_x509_certificates(bundle)
        links = x509.load_pem_x509_certificates(chain)
    except ValueError:
        return False
    for index, link in enumerate(links):
        if any(_signed(link, authority) for authority in known):
            return True
        if not _signed(link, links[min(index + 1, len(links) - 1)]):
            return False
    return False


def _signed(link: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        link.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
