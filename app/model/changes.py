"""What can be done to a session. A commit is a list of changes that happen together or not at all.

Everything that depends on chance or on a clock (ids, epochs, times) is decided before and handed
in, so that the same commits give the same content on every backend.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from msgspec import Struct

from app.model.identifiers import (
    AgentId,
    Epoch,
    MessageId,
    Position,
    ProfileId,
    Revision,
    Sequence,
    SessionId,
    UserId,
)
from app.model.message import MessageStatus, NewMessage
from app.model.parts import Part
from app.model.session import Session, SessionKind
from app.model.timestamps import Timestamp


@dataclass(frozen=True, slots=True)
class CreateSession:
    """Makes the session of the commit. Always the first change of its commit.

    Where the owner has a session of that key already, the answer is a `Conflict`, or, with
    `get_existing`, that session as it is: then nothing else of the commit is done.
    """

    key: str
    epoch: Epoch
    owner_id: UserId | None = None
    agent_id: AgentId | None = None
    peer_agent_id: AgentId | None = None
    profile_id: ProfileId | None = None
    title: str | None = None
    kind: SessionKind = SessionKind.DIRECT
    channel: str | None = None
    forked_from: MessageId | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    get_existing: bool = False


@dataclass(frozen=True, slots=True)
class RenameSession:
    """Sets the title; None takes it away."""

    title: str | None


@dataclass(frozen=True, slots=True)
class PinSession:
    """Pins or unpins the session."""

    pinned: bool


@dataclass(frozen=True, slots=True)
class StarSession:
    """Stars or unstars the session."""

    starred: bool


@dataclass(frozen=True, slots=True)
class ArchiveSession:
    """Puts the session away, or takes it back."""

    archived: bool


@dataclass(frozen=True, slots=True)
class SetMetadata:
    """Replaces the session's metadata."""

    metadata: Mapping[str, Any]


class AddMessages(Struct, frozen=True):
    """Adds messages at the end, numbered in this order."""

    messages: tuple[NewMessage, ...]


@dataclass(frozen=True, slots=True)
class CopyMessages:
    """Adds copies of another session's messages up to `through` (None: all), archived ones too.

    Copies keep their numbers, so this is only for a session that its commit has just created.
    `NotFound` where the source is not in scope.
    """

    source_id: SessionId
    through: Sequence | None = None


@dataclass(frozen=True, slots=True)
class EditMessage:
    """Replaces what is given of one message; None leaves a field as it is.

    `preview` belongs to `parts` and is taken over with them.
    """

    sequence: Sequence
    parts: tuple[Part, ...] | None = None
    preview: str | None = None
    status: MessageStatus | None = None
    model: str | None = None
    usage: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class DeleteMessage:
    """Deletes one message."""

    sequence: Sequence


@dataclass(frozen=True, slots=True)
class TruncateMessages:
    """Deletes every message after `after` (0: all of them), archived ones too.

    `NotFound` where `after` is neither 0 nor a message of the session.
    """

    after: Sequence


@dataclass(frozen=True, slots=True)
class ArchiveMessages:
    """Archives every active message up to and with `through`.

    `NotFound` where `through` is no message of the session.
    """

    through: Sequence


@dataclass(frozen=True, slots=True)
class DeleteSession:
    """Deletes the session with its messages; its log then holds the deletion and nothing else."""


Change: TypeAlias = (
    CreateSession
    | RenameSession
    | PinSession
    | StarSession
    | ArchiveSession
    | SetMetadata
    | AddMessages
    | CopyMessages
    | EditMessage
    | DeleteMessage
    | TruncateMessages
    | ArchiveMessages
    | DeleteSession
)


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A client's name for one attempt, and a digest of what it asked for."""

    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class Commit:
    """Changes of one session that happen together, at the time `at`.

    With `expected`, only while the session's revision is that one.
    """

    session_id: SessionId
    changes: tuple[Change, ...]
    at: Timestamp
    idempotency: Idempotency | None = None
    expected: Revision | None = None


class Committed(Struct, frozen=True):
    """A commit that is durable.

    `sequences` are the numbers of added messages; `affected` counts the messages that were
    copied, deleted or archived. `session` is the state right after the commit, or, for a replayed
    one, the present state; None when the session is deleted. `replayed`: the idempotency key had
    been used for the same request before, and this is that result. `existing`: `get_existing`
    found a session, and nothing was changed.
    """

    position: Position
    sequences: range
    affected: int
    session: Session | None
    replayed: bool = False
    existing: bool = False
