"""What a store is made of when it is moved: a stream of records, session by session."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TypeAlias

from msgspec import Struct

from app.model.changes import Idempotency
from app.model.events import Event
from app.model.identifiers import Epoch, Revision, SessionId, UserId
from app.model.message import Message
from app.model.session import Agent, Profile, Session, User
from app.model.timestamps import Timestamp


class IdempotencyRecord(Struct, frozen=True):
    """A used idempotency key with the result that it replays."""

    session_id: SessionId
    idempotency: Idempotency
    revision: Revision
    sequences: range
    affected: int
    at: Timestamp


class Deletion(Struct, frozen=True):
    """A session that is gone: what remains so that its watchers learn of it."""

    session_id: SessionId
    owner_id: UserId | None
    epoch: Epoch
    revision: Revision
    at: Timestamp


class Damage(Struct, frozen=True):
    """Bytes of a source that could not be read, kept as they are. `line` counts from 1."""

    source: str
    line: int
    reason: str
    content: bytes

    @property
    def digest(self) -> str:
        """What a damage is known by: SHA-256 of its place and bytes, 64 hexadecimal digits."""
        place = f"{self.source}\0{self.line}\0".encode()
        return hashlib.sha256(place + self.content).hexdigest()


Record: TypeAlias = (
    User | Agent | Profile | Session | Message | Event | IdempotencyRecord | Deletion | Damage
)
"""In a stream: users, agents and profiles, each kind by id; then each session, by id, with its
messages by sequence, its events by revision and its idempotency keys by key behind it; then
deletions by session, each with the idempotency keys of its session behind it; then damages by
digest. Text is in the order of its code points. An event's `message` is None here."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did.

    `sessions` and `messages` were taken in, `replaced` counts sessions that were brought to a later
    state (their messages count as taken in), `deletions` and `damages` those that were not known.
    `unchanged` counts sessions that were here in the same state, `conflicts` names those that are
    here, or were deleted here, in another one.
    """

    sessions: int = 0
    messages: int = 0
    unchanged: int = 0
    conflicts: tuple[SessionId, ...] = ()
    damages: int = 0
    replaced: int = 0
    deletions: int = 0
