"""What a store is made of when it is moved: a stream of records, session by session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from app.model.changes import Idempotency
from app.model.events import Event
from app.model.identifiers import Epoch, Revision, SessionId, UserId
from app.model.message import Message
from app.model.session import Agent, Profile, Session, User
from app.model.timestamps import Timestamp


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """A used idempotency key with the result that it replays."""

    session_id: SessionId
    idempotency: Idempotency
    revision: Revision
    sequences: range
    affected: int
    at: Timestamp


@dataclass(frozen=True, slots=True)
class Deletion:
    """A session that is gone: what remains so that its watchers learn of it."""

    session_id: SessionId
    owner_id: UserId | None
    epoch: Epoch
    revision: Revision
    at: Timestamp


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes of a source that could not be read, kept as they are. `line` counts from 1."""

    source: str
    line: int
    reason: str
    content: bytes


Record: TypeAlias = (
    User | Agent | Profile | Session | Message | Event | IdempotencyRecord | Deletion | Damage
)
"""In a stream: users, agents and profiles first; then each session with its messages, events and
idempotency keys behind it; then deletions and damage. An event's `message` is None here."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did. `conflicts` are sessions that the store holds in another state."""

    sessions: int = 0
    messages: int = 0
    unchanged: int = 0
    conflicts: tuple[SessionId, ...] = ()
    damages: int = 0
