"""The errors of Scrollback: one small tree. Each says what is wrong and what to do about it.

Expected outcomes (not found, conflict …) are answered as values by a backend and raised only by
the operations above it. Messages are written for users and hold no internals.
"""

from __future__ import annotations

from typing import ClassVar

from app.model.session import Session


class ScrollbackError(Exception):
    """The root. `message` may be shown to a client; `code` is for programs."""

    code: ClassVar[str] = "ERROR"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInput(ScrollbackError):
    """The request itself is wrong. `path` leads to the input field at fault."""

    code = "INVALID_INPUT"

    def __init__(self, message: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


class NotFound(ScrollbackError):
    """No such thing, or not in the caller's scope: the two can't be told apart."""

    code = "NOT_FOUND"

    def __init__(self, message: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


class Forbidden(ScrollbackError):
    """The caller sees the thing and may not do this to it."""

    code = "FORBIDDEN"


class Conflict(ScrollbackError):
    """The state is not what the request expected. `current` is the session as it is."""

    code = "CONFLICT"

    def __init__(self, message: str, current: Session | None = None) -> None:
        super().__init__(message)
        self.current = current


class LimitExceeded(ScrollbackError):
    """More than is allowed at once."""

    code = "LIMIT_EXCEEDED"

    def __init__(self, message: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


class NotSupported(ScrollbackError):
    """The store can't do this."""

    code = "NOT_SUPPORTED"

    def __init__(self, operation: str, backend: str, reason: str) -> None:
        super().__init__(f"{operation} is not supported on {backend}: {reason}")


class UnknownOutcome(ScrollbackError):
    """The change may or may not be durable. Retry with the same idempotency key."""

    code = "UNKNOWN_OUTCOME"


class StoreUnavailable(ScrollbackError):
    """The store can't be reached, or is too busy. Nothing was changed; try again."""

    code = "STORE_UNAVAILABLE"


class StoreUnusable(ScrollbackError):
    """The store can't be opened as it is: a wrong address, a newer version, no permission."""

    code = "STORE_UNUSABLE"
