"""The messages of the WebSocket subprotocol `graphql-transport-ws`, in and out.

Names and close codes are those of the protocol's description (PROTOCOL.md of `graphql-ws`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import orjson

from app.execution.operation import Response
from app.server.refusal import Refusal
from app.server.request_parsing import parse_json

SUBPROTOCOL = "graphql-transport-ws"
LONGEST_ID = 256
_LONGEST_REASON = 123
"""Bytes of a close frame's reason (RFC 6455, 5.5)."""


class CloseCode(IntEnum):
    """Why a socket is closed: RFC 6455 below 4000, the subprotocol's own above."""

    ABNORMAL = 1006
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    BAD_MESSAGE = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    INITIALISATION_TIMEOUT = 4408
    SUBSCRIBER_EXISTS = 4409
    TOO_MANY_INITIALISATIONS = 4429


class CloseSocket(Exception):
    """Ends the socket with this code and reason."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ConnectionInit:
    """The client introduces itself; `payload` may hold its credentials."""

    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ping:
    """The client asks for a pong with the same payload."""

    payload: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Pong:
    """The client answers a ping, or just shows that it lives."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """The client starts an operation. `payload` is not checked yet: it fails the operation only."""

    id: str
    payload: Any


@dataclass(frozen=True, slots=True)
class Complete:
    """The client is done with an operation."""

    id: str


Message = ConnectionInit | Ping | Pong | Subscribe | Complete


def parse_message(text: str, depth_limit: int) -> Message:
    """Returns a client's message. Raises CloseSocket (4400) when it is none."""
    try:
        message = parse_json(text, depth_limit, "The message")
    except Refusal as refusal:
        raise _bad_message(refusal.message) from refusal
    if not isinstance(message, dict):
        raise _bad_message("A message is a JSON object.")
    match message.get("type"):
        case "connection_init":
            return ConnectionInit(_payload(message) or {})
        case "ping":
            return Ping(_payload(message))
        case "pong":
            _payload(message)
            return Pong()
        case "subscribe":
            return Subscribe(_id(message), message.get("payload"))
        case "complete":
            return Complete(_id(message))
    raise _bad_message("The message's `type` is missing or not one that clients send.")


def ack_frame() -> bytes:
    """Returns the answer to `connection_init`."""
    return b'{"type":"connection_ack"}'


def pong_frame(payload: dict[str, Any] | None) -> bytes:
    """Returns the answer to a ping."""
    if payload is None:
        return b'{"type":"pong"}'
    return orjson.dumps({"type": "pong", "payload": payload})


class NextFrames:
    """The results of one operation. Around a result that many operations share, its id is put."""

    def __init__(self, id_: str) -> None:
        self._head = b'{"id":%b,"type":"next","payload":' % orjson.dumps(id_)

    def frame(self, response: Response) -> bytes:
        """Returns one result."""
        return b"%b%b}" % (self._head, response.encoded())


def error_frame(id_: str, errors: list[dict[str, Any]]) -> bytes:
    """Returns the end of an operation that did not run."""
    return orjson.dumps({"id": id_, "type": "error", "payload": errors})


def complete_frame(id_: str) -> bytes:
    """Returns the end of an operation."""
    return orjson.dumps({"id": id_, "type": "complete"})


def close_reason(reason: str) -> bytes:
    """Returns a reason short enough for a close frame, cut between characters."""
    return reason.encode()[:_LONGEST_REASON].decode(errors="ignore").encode()


def _id(message: dict[str, Any]) -> str:
    id_ = message.get("id")
    if not isinstance(id_, str) or not id_:
        raise _bad_message("The message's `id` is missing or not a string.")
    if len(id_) > LONGEST_ID:
        raise _bad_message(f"The message's `id` is longer than {LONGEST_ID} characters.")
    return id_


def _payload(message: dict[str, Any]) -> dict[str, Any] | None:
    payload = message.get("payload")
    if payload is not None and not isinstance(payload, dict):
        raise _bad_message("The message's `payload` is not a JSON object.")
    return payload


def _bad_message(reason: str) -> CloseSocket:
    return CloseSocket(CloseCode.BAD_MESSAGE, reason)
