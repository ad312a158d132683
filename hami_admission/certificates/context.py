"""The TLS context of the server, which takes a new certificate while it serves."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hami_admission.certificates.authority import Identity


def create() -> ssl.SSLContext:
    """A server context without a certificate yet; handshakes fail until one is loaded."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def ask_for(context: ssl.SSLContext, authority: str) -> None:
    """Ask who connects for a certificate of the authorities in that file; who has none may go on.

    A handshake with a certificate of others fails. Raises OSError (ssl.SSLError is one).
    """
    context.load_verify_locations(cafile=authority)
    context.verify_mode = ssl.CERT_OPTIONAL


def load(context: ssl.SSLContext, identity: Identity) -> None:
    """Serve with this identity from the next handshake on; open connections stay.

    The library reads certificates from paths only; these are of memory, so that no key touches a
    disk and the root file system may be read-only.
    """
    with _in_memory(identity.certificate) as certificate, _in_memory(identity.key) as key:
        context.load_cert_chain(certificate.path, key.path)


class _in_memory:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def __enter__(self) -> _in_memory:
        self._file = os.memfd_create("tls")
        os.write(self._file, self._content)
        self.path = f"/proc/self/fd/{self._file}"
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)
