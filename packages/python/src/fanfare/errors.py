"""What can go wrong, as exceptions. All are FanfareError."""
from __future__ import annotations

from typing import Optional


class FanfareError(Exception):
    """The base of all exceptions of this package."""


class ConfigurationError(FanfareError, ValueError):
    """A URL, token or option that cannot work; the message says what was expected."""


class EventRefused(FanfareError, ValueError):
    """An event is not as it has to be, found before sending or said by the server. It was not
    published and will not be. The message names the field, what it must be and what it was."""

    def __init__(self, message: str, field: Optional[str] = None, status: int = 422,
                 code: str = "invalid_event") -> None:
        super().__init__(message)
        self.field = field
        self.status = status
        self.code = code


class AccessDenied(FanfareError):
    """The server does not take requests of this program: no good token (401), no right (403), no
    such address (404). The event was not published and will not be."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class SpoolFull(FanfareError):
    """The event was not accepted, or dropped from the spool again, because the spool was full."""


class PublisherClosed(FanfareError):
    """The publisher was closed before this call."""


class ProgramNotFound(FanfareError):
    """The program `fanfare` was not found; the message says where it was looked for."""


class CheckpointError(FanfareError, ValueError):
    """A checkpoint file that is missing, not whole or not right. Lines and columns count from 1."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class WatchError(FanfareError):
    """A project cannot be watched; the message says why."""
