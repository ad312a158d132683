"""A certificate authority and the serving certificate it signs; when to renew."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=365)
RENEW_BEFORE = timedelta(days=90)
"""A serving certificate is renewed that long before its end: a quarter of its life, in which
somebody notices that renewal fails."""

MOST_TRUSTED = 3
"""Authorities in a bundle."""

_DAMAGED, _FOREIGN_KEY = "damaged", "the key is not the certificate's"
BEYOND_REPAIR = (_DAMAGED, _FOREIGN_KEY)
"""How flaws begin that only a new authority mends; the others want a new serving certificate."""

_BACKDATED = timedelta(hours=24)
"""Certificates start a day ago, so that a clock that is some hours behind accepts them."""


class Identity(msgspec.Struct, frozen=True):
    """PEM texts: the authority, its key, the serving certificate and its key.

    ``ca`` is a bundle: the authority that signs first, then those that are still trusted.
    """

    ca: bytes
    ca_key: bytes
    certificate: bytes
    key: bytes


def create(names: tuple[str, ...], now: datetime) -> Identity:
    """A new authority and a serving certificate for these DNS names and IP addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hami-admission-ca")])
    authority = (
        _builder(name, name, key, now, CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _serving(authority, key, names, now)


def renew(identity: Identity, names: tuple[str, ...], now: datetime) -> Identity:
    """A new serving certificate under the same authority, while that lives long enough."""
    authority = x509.load_pem_x509_certificate(identity.ca)
    if authority.not_valid_after_utc < now + LEAF_LIFE:
        return trusting(create(names, now), identity.ca, now)
    key = serialization.load_pem_private_key(identity.ca_key, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey), "made by create"
    made = _serving(authority, key, names, now)
    return trusting(made, identity.ca, now)


def trusting(identity: Identity, bundle: bytes, now: datetime) -> Identity:
    """The identity with the authorities of another bundle trusted as well, until they end.

    What cannot be read in it is left out, and so are the oldest beyond MOST_TRUSTED.
    """
    known = _certificates(identity.ca)
    for each in _certificates(bundle):
        if each not in known and each.not_valid_after_utc > now:
            known.append(each)
    return msgspec.structs.replace(identity, ca=b"".join(map(_pem, known[:MOST_TRUSTED])))


def trusts(bundle: bytes, identity: Identity) -> bool:
    """Is the authority that signed the identity's serving certificate in the bundle?"""
    signing = _certificates(identity.ca)[:1]
    return bool(signing) and signing[0] in _certificates(bundle)


def same_authority(one: Identity, other: Identity) -> bool:
    """Does the same authority sign for both?"""
    return _certificates(one.ca)[:1] == _certificates(other.ca)[:1]


def ordered(identity: Identity, bundle: bytes) -> bytes:
    """The bundle with the identity's own authority first."""
    own = _certificates(identity.ca)[:1]
    others = [each for each in _certificates(bundle) if each not in own]
    return b"".join(map(_pem, own + others))


def ends(identity: Identity) -> datetime:
    """When the serving certificate ends."""
    return x509.load_pem_x509_certificate(identity.certificate).not_valid_after_utc


def flaw(identity: Identity, names: tuple[str, ...], now: datetime) -> str | None:
    """Why the identity should not be served with any longer, or None."""
    try:
        leaf = x509.load_pem_x509_certificate(identity.certificate)
        authority = x509.load_pem_x509_certificate(identity.ca)
        leaf.verify_directly_issued_by(authority)
        key = serialization.load_pem_private_key(identity.key, password=None)
        serialization.load_pem_private_key(identity.ca_key, password=None)
    except (ValueError, TypeError, InvalidSignature) as error:
        return f"{_DAMAGED}: {str(error) or type(error).__name__}"
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != leaf.public_key():
        return _FOREIGN_KEY
    if leaf.not_valid_after_utc - RENEW_BEFORE <= now:
        return f"ends at {leaf.not_valid_after_utc:%Y-%m-%d}"
    missing = set(names) - _names_of(leaf)
    return f"not for {', '.join(sorted(missing))}" if missing else None


def _serving(
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    names: tuple[str, ...],
    now: datetime,
) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    leaf = (
        _builder(subject, authority.subject, key, now, LEAF_LIFE)
        .add_extension(x509.SubjectAlternativeName([_general(n) for n in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    return Identity(_pem(authority), _pem_key(authority_key), _pem(leaf), _pem_key(key))


def _certificates(bundle: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(bundle)
    except ValueError:
        return []


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509
        .CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now.astimezone(UTC) - _BACKDATED)
        .not_valid_after(now.astimezone(UTC) + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names_of(leaf: x509.Certificate) -> set[str]:
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = names.get_values_for_type(x509.IPAddress)
    return {*names.get_values_for_type(x509.DNSName), *map(str, addresses)}


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
