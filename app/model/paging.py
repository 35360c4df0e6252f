"""Pages by keyset: a window between two places in an order that stays true while others write."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

from app.model.identifiers import AgentId, ProfileId, Sequence, SessionId
from app.model.message import MessageScope
from app.model.timestamps import Timestamp

T = TypeVar("T")
BoundT = TypeVar("BoundT")


class Take(StrEnum):
    """From which end a window is filled."""

    FIRST = "first"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class Window(Generic[BoundT]):
    """At most `limit` items strictly between `after` and `before`, taken from one end.

    Items are always answered in the order's own direction, whichever end they were taken from.
    """

    limit: int
    take: Take = Take.FIRST
    after: BoundT | None = None
    before: BoundT | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A window's items. The flags are exact: something is there before the first, after the last.

    For an empty page they speak of the window's own bounds.
    """

    items: tuple[T, ...]
    has_previous: bool
    has_next: bool


class SessionOrderField(StrEnum):
    """What sessions are ordered by; ties are broken by id."""

    LAST_ACTIVITY = "last_activity"
    CREATED = "created"
    TITLE = "title"


class SessionBound(NamedTuple):
    """A place in an order of sessions: the ordering value, then the id."""

    value: str
    id: SessionId


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions are meant; what is None does not matter.

    `title` is a part of the title, upper and lower case alike. `updated_since` is inclusive,
    `updated_until` exclusive.
    """

    archived: bool | None = None
    pinned: bool | None = None
    starred: bool | None = None
    profile_id: ProfileId | None = None
    agent_id: AgentId | None = None
    channel: str | None = None
    updated_since: Timestamp | None = None
    updated_until: Timestamp | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class SessionPageRequest:
    """Asks for a page of sessions. The tie-breaking id runs in the order's own direction."""

    window: Window[SessionBound]
    filter: SessionFilter = SessionFilter()
    order: SessionOrderField = SessionOrderField.LAST_ACTIVITY
    descending: bool = True


@dataclass(frozen=True, slots=True)
class MessagePageRequest:
    """Asks for a page of a session's messages, by ascending sequence."""

    session_id: SessionId
    window: Window[Sequence]
    messages: MessageScope = MessageScope.ACTIVE


def title_order(title: str | None) -> str:
    """Returns what titles are ordered and searched by: case folded, empty for none."""
    return (title or "").casefold()
