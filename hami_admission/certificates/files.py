"""An identity that others look after: files of a mounted Secret, as cert-manager writes them."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from hami_admission.certificates import context
from hami_admission.certificates.authority import Identity

if TYPE_CHECKING:
    from typing import Final

log = logging.getLogger(__name__)

CERTIFICATE, KEY, AUTHORITY = "tls.crt", "tls.key", "ca.crt"


class Unusable(Exception):
    """The files cannot be served with; the message names the file and says why."""


class Files:
    """Reads ``tls.crt``, ``tls.key`` and, if it is there, ``ca.crt`` of a folder."""

    def __init__(self, folder: str) -> None:
        self._folder: Final = Path(folder)
        self._served: Identity | None = None

    async def identity(self) -> Identity:
        """What the files hold; while they are damaged or half written, what they held before.

        Raises Unusable at the start.
        """
        try:
            self._served = self._read()
        except Unusable as error:
            if self._served is None:
                raise
            log.warning("certificate files not taken", extra={"error": str(error)})
        return self._served

    async def found(self) -> bool:
        """Others make it."""
        return True

    def _read(self) -> Identity:
        parts = {}
        for name in (CERTIFICATE, KEY):
            try:
                parts[name] = (self._folder / name).read_bytes()
            except OSError as error:
                raise Unusable(f"{self._folder / name}: {error.strerror}") from error
        authority = self._folder / AUTHORITY
        bundle = authority.read_bytes() if authority.exists() else b""
        found = Identity(bundle, b"", parts[CERTIFICATE], parts[KEY])
        try:
            context.load(context.create(), found)
        except (ssl.SSLError, ValueError) as error:
            raise Unusable(
                f"{self._folder / CERTIFICATE} and {KEY}: {getattr(error, 'reason', error)}"
            ) from error
        return found
