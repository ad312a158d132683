"""The certificate that we serve with, and that the API server trusts it: looked after for ever."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from hami_admission.certificates import authority
from hami_admission.certificates import context as contexts
from hami_admission.certificates.files import Unusable
from hami_admission.kube import errors

if TYPE_CHECKING:
    from hami_admission.certificates.authority import Identity
    from hami_admission.certificates.rotation import Publisher
    from hami_admission.control.probes import Probes

log = logging.getLogger(__name__)

EVERY_SECONDS, MISSING_SECONDS = 5.0, 1.0
"""Between looks at certificate and webhook configurations; shorter while one is missing."""

PATIENCE_SECONDS = 12.0
"""How long a process that finds no certificate, in a cluster that had one, waits for another
replica to put it back before it makes a new authority."""


class Source(Protocol):
    """Where the identity comes from: a Secret of ours, or files of others."""

    async def identity(self) -> Identity:
        """What to serve with now; raises ApiError."""

    async def found(self) -> bool:
        """Is there one already? Raises ApiError."""


class Tls:
    """``context`` serves with what ``source`` gives; its authority is published first."""

    def __init__(self, source: Source, publisher: Publisher, probes: Probes) -> None:
        self.context = contexts.create()
        self._source = source
        self._publisher = publisher
        self._probes = probes
        self._served: Identity | None = None

    @property
    def ends(self) -> float:
        """Unix second at which the certificate that is served ends; 0 before there is one."""
        return authority.ends(self._served).timestamp() if self._served is not None else 0.0

    @property
    def authority(self) -> bytes:
        """What is to be trusted by who calls us, in PEM; empty before there is a certificate."""
        return b"" if self._served is None else self._served.ca

    def ask_for(self, authority: str) -> None:
        """Ask clients for a certificate of the authorities in that file; raises Unusable."""
        if not authority:
            return
        try:
            contexts.ask_for(self.context, authority)
        except OSError as error:
            raise Unusable(f"{authority}: {error.strerror or error}") from error

    async def start(self) -> None:
        """Returns when there is something to serve with."""
        clock = asyncio.get_running_loop().time
        until = clock() + PATIENCE_SECONDS
        while True:
            try:
                if await self._source.found() or clock() > until or not await self._had_one():
                    self._load(await self._source.identity())
                    return
            except errors.ApiError as error:
                log.warning("no certificate yet", extra={"error": str(error)})
            await asyncio.sleep(MISSING_SECONDS)

    async def run(self) -> None:
        """For ever: a good certificate, and webhook configurations that know its authority."""
        while True:
            complete = False
            try:
                complete = await self.round()
            except errors.ApiError as error:
                log.warning("certificate not looked after", extra={"error": str(error)})
            except Exception:  # what is served now stays good for weeks
                log.exception("certificate not looked after")
            await asyncio.sleep(EVERY_SECONDS if complete else MISSING_SECONDS)

    async def round(self) -> bool:
        """One look; were both webhook configurations there?"""
        identity = await self._source.identity()
        missing = await self._publisher.publish(identity.ca) if identity.ca else []
        if missing and not self._probes.published:
            log.warning("webhook configurations missing", extra={"paths": missing})
        self._probes.published = not missing
        self._load(identity)
        return not missing

    async def _had_one(self) -> bool:
        return bool(await self._publisher.published())

    def _load(self, identity: Identity) -> None:
        if identity != self._served:
            contexts.load(self.context, identity)
            log.info("certificate", extra={"ends": f"{authority.ends(identity):%Y-%m-%d}"})
            self._served = identity
