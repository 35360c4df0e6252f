"""The search index: what a database keeps of texts so that those which match are found.

What it finds are candidates; `app.model.search_query.matches` has the last word. It is written in
the transaction of what it indexes.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Connection, FromClause, MetaData, Select, Table, func, select

from app.backends.sql.prepared import Query
from app.backends.sql.reads import Rows
from app.backends.sql.tables import messages, sessions
from app.model.parts import decode_parts
from app.model.search import SearchBound
from app.model.search_query import SearchQuery
from app.model.search_text import normal_text, normalize

Fetch: TypeAlias = Callable[[Query], Awaitable[Rows]]
"""Runs a statement that reads."""

TITLE = 0
"""The number under which a session's title is indexed, where messages have theirs."""

_TELL_SECONDS = 5
"""How often the log is told how far indexing has come."""

log = logging.getLogger(__name__)

_CHUNK = 500
"""How many messages are read at once."""


class IndexedText(NamedTuple):
    """A text with its place: the normal form of a message, or of a title (numbered `TITLE`).

    `at` is when the message, or the session, was created.
    """

    session_id: str
    sequence: int
    at: str
    normal: str


class SearchIndex(ABC):
    """The index as one kind of database keeps it. Texts that are empty are not in it."""

    metadata: MetaData
    """The tables of the index."""
    entries: Table
    """A row for each text, with its `session_id` and `sequence`."""
    created_at: ColumnElement[str]
    """When the message was created, in a statement from `source`."""
    sizes: tuple[int, int] = (64, 1024)
    """How many candidates a search reads at first, and at most, in one statement."""
    newest: int = 0
    """How many of the newest texts a search looks at before it asks the index."""
    position: ColumnElement[Any]
    """What `final` is asked about, in a statement from `source`."""

    @abstractmethod
    def add(self, connection: Connection, texts: Sequence[IndexedText]) -> None:
        """Adds texts that are not in the index."""

    @abstractmethod
    def remove(
        self, connection: Connection, session_id: str, first: int, last: int | None = None
    ) -> None:
        """Removes a session's texts numbered from `first` to `last`, None for all behind.

        To be called while messages and title are still there.
        """

    @abstractmethod
    def disagreeing(self, connection: Connection) -> list[str]:
        """Returns the sessions of which the index has something else than their texts."""

    @abstractmethod
    def rebuild(self, connection: Connection, session_ids: Sequence[str]) -> None:
        """Brings the index to the texts of these sessions, of some that are gone to nothing."""

    @abstractmethod
    async def lookup(self, fetch: Fetch, query: SearchQuery) -> dict[str, Any]:
        """Returns the parameters that look a query up, none where the index can't."""

    @abstractmethod
    def source(self, *, looks_up: bool) -> FromClause:
        """Returns the entries, to select from: the candidates of a query, or else all of them."""

    @abstractmethod
    def join(self, left: FromClause, right: FromClause, on: ColumnElement[bool]) -> FromClause:
        """Joins in this order, whatever the database thinks of it."""

    @abstractmethod
    def conditions(self, *, looks_up: bool) -> list[ColumnElement[bool]]:
        """Returns what keeps the source to the candidates that lie behind a place."""

    @abstractmethod
    def order(self, *, looks_up: bool) -> list[ColumnElement[Any]]:
        """Returns the order of a statement from `source`, the newest first."""

    @abstractmethod
    def start(
        self, after: SearchBound | None, since: str | None, until: str | None
    ) -> dict[str, Any]:
        """Returns the parameters of `conditions` for the first statement of a search."""

    @abstractmethod
    def go_on(self, row: Sequence[Any]) -> dict[str, Any]:
        """Returns the parameters that differ in a statement that goes on behind a row.

        A row begins with `position`, then the message's `created_at`, `session_id`, `sequence`.
        """

    @abstractmethod
    def is_final(self, row: Sequence[Any], last: Sequence[Any]) -> bool:
        """Answers whether nothing newer than a row can come behind the last row read."""

    def mentioning(self) -> Select[Any]:
        """Returns the ids of the sessions that have a candidate, their titles among them."""
        return (
            select(self.entries.c.session_id)
            .select_from(self.source(looks_up=True))
            .where(*self._found())
        )

    @abstractmethod
    def _found(self) -> list[ColumnElement[bool]]:
        """Returns what keeps the source to the candidates."""

    def retitle(
        self, connection: Connection, session_id: str, at: str, old: str | None, new: str | None
    ) -> None:
        """Replaces a title, `old` by `new`; to be called while the old one is still there."""
        if old:
            self.remove(connection, session_id, TITLE, TITLE)
        self.add_title(connection, session_id, at, new)

    def add_title(
        self, connection: Connection, session_id: str, at: str, title: str | None
    ) -> None:
        """Adds the title of a session."""
        if title:
            self.add(connection, [IndexedText(session_id, TITLE, at, normalize(title))])

    def add_messages(self, connection: Connection, session_id: str) -> None:
        """Adds the messages of a session, none of which is in the index."""
        for texts in texts_of(connection, session_id, TITLE + 1):
            self.add(connection, texts)

    def add_session(self, connection: Connection, session_id: str) -> None:
        """Adds the title and the messages of a session, none of which is in the index."""
        for texts in texts_of(connection, session_id):
            self.add(connection, texts)


def texts_of(
    connection: Connection, session_id: str, first: int = TITLE, last: int | None = None
) -> Iterator[list[IndexedText]]:
    """Yields the texts of a session that are not empty, numbered from `first` to `last`."""
    if first == TITLE:
        row = connection.execute(
            select(sessions.c.created_at, sessions.c.title).where(sessions.c.id == session_id)
        ).one_or_none()
        if row is not None and row[1] and (normal := normalize(row[1])):
            yield [IndexedText(session_id, TITLE, row[0], normal)]
    if last == TITLE:
        return
    statement = (
        select(messages.c.sequence, messages.c.created_at, messages.c.parts)
        .where(messages.c.session_id == session_id)
        .order_by(messages.c.sequence)
        .limit(_CHUNK)
    )
    if last is not None:
        statement = statement.where(messages.c.sequence <= last)
    after = max(first, 1) - 1
    while rows := connection.execute(statement.where(messages.c.sequence > after)).all():
        yield [
            IndexedText(session_id, sequence, at, normal)
            for sequence, at, parts in rows
            if (normal := normal_text(decode_parts(parts)))
        ]
        after = rows[-1][0]


def index_everything(search: SearchIndex, connection: Connection) -> int:
    """Indexes all that the store has, in an index that is empty; returns how many sessions."""
    statement = select(sessions.c.id).order_by(sessions.c.id).limit(_CHUNK)
    done, after = 0, ""
    total = connection.scalar(select(func.count()).select_from(sessions)) or 0
    told = time.monotonic()
    while ids := connection.scalars(statement.where(sessions.c.id > after)).all():
        for session_id in ids:
            search.add_session(connection, session_id)
        done, after = done + len(ids), ids[-1]
        if time.monotonic() - told > _TELL_SECONDS:
            told = time.monotonic()
            log.info("indexing_for_search", extra={"sessions": done, "of": total})
    return done
