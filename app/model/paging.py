"""Pages by keyset: a window between two places in an order that stays true while others write."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from operator import attrgetter
from typing import Generic, NamedTuple, TypeVar

from msgspec import Struct

from app.model.identifiers import AgentId, ProfileId, Sequence, SessionId
from app.model.message import MessageScope
from app.model.search_query import SearchQuery
from app.model.session import Session
from app.model.timestamps import Timestamp

T = TypeVar("T")
BoundT = TypeVar("BoundT")


class Take(StrEnum):
    """From which end a window is filled."""

    FIRST = "first"
    LAST = "last"


class Window(Struct, Generic[BoundT], frozen=True, cache_hash=True):
    """At most `limit` items strictly between `after` and `before`, taken from one end.

    Items are always answered in the order's own direction, whichever end they were taken from.
    """

    limit: int
    take: Take = Take.FIRST
    after: BoundT | None = None
    before: BoundT | None = None


class Page(Struct, Generic[T], frozen=True):
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


class SessionFilter(Struct, frozen=True, cache_hash=True):
    """Which sessions are meant; what is None does not matter.

    `title` is a part of the title, upper and lower case alike. `query` is what the title, in
    normal form, or a message of the session matches, active or archived; one text has to have
    all terms. `updated_since` is inclusive, `updated_until` exclusive.
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
    query: SearchQuery | None = None


class SessionPageRequest(Struct, frozen=True, cache_hash=True):
    """Asks for a page of sessions. The tie-breaking id runs in the order's own direction.

    `fields` names those of `Session` that will be looked at, None for all; a store may leave the
    others empty, but for the id and what the order is by.
    """

    window: Window[SessionBound]
    filter: SessionFilter = SessionFilter()
    order: SessionOrderField = SessionOrderField.LAST_ACTIVITY
    descending: bool = True
    fields: frozenset[str] | None = None


class MessagePageRequest(Struct, frozen=True, cache_hash=True):
    """Asks for a page of a session's messages, by ascending sequence.

    `fields` names those of `Message` that will be looked at, None for all; a store may leave the
    others empty, but for the session's id and the sequence.
    """

    session_id: SessionId
    window: Window[Sequence]
    messages: MessageScope = MessageScope.ACTIVE
    fields: frozenset[str] | None = None


def cut_page(
    items: Collection[T], limit: int, take: Take, *, before: bool, behind: bool
) -> Page[T]:
    """Returns the page of items read for a window: at most one more than `limit`, ascending.

    `before` and `behind` tell whether something lies at or beyond the window's own bounds.
    """
    kept = tuple(items)
    if len(kept) <= limit:
        return Page(kept, before, behind)
    if take is Take.FIRST:
        return Page(kept[:limit], before, has_next=True)
    return Page(kept[len(kept) - limit :], has_previous=True, has_next=behind)


def session_bound(session: Session, order: SessionOrderField) -> SessionBound:
    """Returns a session's place in an order."""
    return SessionBound(_ORDERING_VALUES[order](session), session.id)


def ordering_value(session: Session, order: SessionOrderField) -> str:
    """Returns what a session is ordered by."""
    return _ORDERING_VALUES[order](session)


def title_order(title: str | None) -> str:
    """Returns what titles are ordered and searched by: case folded, empty for none.

    At most 512 characters, which is what every dialect can index.
    """
    return (title or "").casefold()[:512]


_ORDERING_VALUES: Mapping[SessionOrderField, Callable[[Session], str]] = {
    SessionOrderField.LAST_ACTIVITY: attrgetter("last_activity_at"),
    SessionOrderField.CREATED: attrgetter("created_at"),
    SessionOrderField.TITLE: lambda session: title_order(session.title),
}
