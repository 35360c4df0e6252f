"""A request that the transport itself turns away, and the one shape in which it says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

INTERNAL_ERROR = "INTERNAL_ERROR"
BAD_REQUEST = "BAD_REQUEST"


class Refusal(Exception):
    """Ends a request with this status, code and message.

    The message is shown to the client, so it holds nothing that the client did not send or may
    not know.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}

    def formatted_error(self) -> dict[str, Any]:
        """Returns the refusal as one GraphQL error."""
        return {"message": self.message, "extensions": {"code": self.code}}


def bad_request(message: str) -> Refusal:
    """Returns the refusal of a request that is not well-formed: status 400."""
    return Refusal(400, BAD_REQUEST, message)


def shutting_down() -> Refusal:
    """Returns the refusal of new work while the server stops: status 503."""
    return Refusal(
        503,
        "SERVER_SHUTTING_DOWN",
        "The server is shutting down. Try again in a moment.",
        {"Retry-After": "1"},
    )
