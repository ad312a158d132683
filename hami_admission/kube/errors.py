"""What the API server (or the way to it) answers when it does not do what was asked.

ApiError
├── Unreachable     no answer: connection, TLS or time-out; whether it was done is not known
├── NotFound        404
├── Conflict        409: somebody else changed or made the object
├── Gone            410: the version asked for is too old; list again
└── TooLong         the answer has more bytes than were wanted
"""

from __future__ import annotations

_LONGEST = 512


class NoConfiguration(Exception):
    """There is no usable description of an API server: neither a kubeconfig nor a pod's account."""


class ApiError(Exception):
    """A failed request; ``status`` is 0 when there was no answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message[:_LONGEST]}" if status else message[:_LONGEST])
        self.status = status
        self.message = message[:_LONGEST]

    @property
    def passing(self) -> bool:
        """May the same request do better in a moment?"""
        return self.status in {0, 429} or self.status >= 500


class Unreachable(ApiError):
    """No answer came."""


class NotFound(ApiError):
    """There is no such object."""


class Conflict(ApiError):
    """The object is not as the request presumed."""


class Gone(ApiError):
    """The resource version is too old."""


class TooLong(ApiError):
    """More came than was wanted; the rest was not read."""


_BY_STATUS = {404: NotFound, 409: Conflict, 410: Gone}


def of(status: int, message: str) -> ApiError:
    """The error of an answer with that status."""
    return _BY_STATUS.get(status, ApiError)(status, message)
