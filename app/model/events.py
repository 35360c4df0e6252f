"""The event log of a session: one event for every change that changed something."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from app.model.identifiers import Position, Revision, Sequence, SessionId
from app.model.message import Message
from app.model.timestamps import Timestamp


class EventKind(StrEnum):
    """What happened. The comment names what `Event.data` holds, where it holds anything."""

    SESSION_CREATED = "session_created"
    SESSION_RENAMED = "session_renamed"  # title
    SESSION_PINNED = "session_pinned"  # pinned_at
    SESSION_STARRED = "session_starred"  # starred_at
    SESSION_ARCHIVED = "session_archived"  # archived_at
    SESSION_METADATA_SET = "session_metadata_set"  # metadata
    SESSION_DELETED = "session_deleted"
    MESSAGE_ADDED = "message_added"
    MESSAGE_EDITED = "message_edited"
    MESSAGE_DELETED = "message_deleted"
    MESSAGES_TRUNCATED = "messages_truncated"  # after, count
    MESSAGES_ARCHIVED = "messages_archived"  # through, count


class Event(Struct, frozen=True, gc=False):
    """One change of a session.

    `sequence` is the message that it is about. The log keeps no second copy of what was said:
    `message` is that message as it is when the log is read, None where it has since been deleted,
    so that deleted words are gone from the log as well. A reader who applies every event in order
    arrives at the present state all the same.
    """

    session_id: SessionId
    revision: Revision
    kind: EventKind
    at: Timestamp
    sequence: Sequence | None
    data: Mapping[str, Any]
    message: Message | None


class LogRead(Struct, frozen=True):
    """Asks for at most `limit` events of a session after a position (None: from the start)."""

    session_id: SessionId
    after: Position | None
    limit: int


class LogSlice(Struct, frozen=True):
    """Consecutive events, and where the log ended when they were read.

    `gap`: the position asked for is of another epoch or past the end, so the reader must fetch
    the session anew; `events` is empty then. A deleted session's log holds its deletion only,
    which is answered whatever position of its epoch was asked for.
    """

    events: tuple[Event, ...]
    top: Position
    gap: bool
