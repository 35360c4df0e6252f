"""Names and numbers of things, each with its own type, so that none is mistaken for another."""

from __future__ import annotations

import os
import time
import uuid
from typing import NamedTuple, NewType

SessionId = NewType("SessionId", str)
UserId = NewType("UserId", str)
AgentId = NewType("AgentId", str)
ProfileId = NewType("ProfileId", str)

Sequence = NewType("Sequence", int)
"""A message's number in its session: 1 for the first, one higher each, never used again."""

Revision = NewType("Revision", int)
"""An event's number in its session's log: 1 for the first, without a gap."""

Epoch = NewType("Epoch", str)
"""Names one life of a session's log. Positions of different epochs can't be compared."""


class MessageId(NamedTuple):
    """A message's identity: a sequence is never used twice in a session, so the pair is stable."""

    session_id: SessionId
    sequence: Sequence


class SessionKey(NamedTuple):
    """The name that a client gave to a session, unique for its owner (None: unowned)."""

    owner_id: UserId | None
    key: str


class Position(NamedTuple):
    """A place in a session's event log: after the event of that revision (0: before the first)."""

    epoch: Epoch
    revision: Revision


_NAMESPACE = uuid.UUID("5b0d2f0c-0e5c-5d55-9f37-5c0a7e5c2a01")


def new_session_id() -> SessionId:
    """Returns a new id, 32 hexadecimal digits that sort by time (RFC 9562, UUID version 7)."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & (1 << 48) - 1) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return SessionId(f"{value:032x}")


def derive_session_id(*names: str) -> SessionId:
    """Returns the id that these names always give (RFC 9562, UUID version 5)."""
    return SessionId(uuid.uuid5(_NAMESPACE, "\x1f".join(names)).hex)


def new_epoch() -> Epoch:
    """Returns a new random epoch of 8 hexadecimal digits."""
    return Epoch(os.urandom(4).hex())
