"""What the SQL backend asks of a database: its statements, its locks, what its errors mean."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from enum import Enum, auto
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Executable,
    FromClause,
    Select,
    Table,
    TextClause,
    Update,
    bindparam,
    func,
    insert,
    tuple_,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from app.backends.protocol import Finding
from app.backends.sql.search_index import SearchIndex
from app.backends.sql.tables import sessions
from app.model.errors import InvalidInput, ScrollbackError, StoreUnavailable
from app.model.message import MessageScope
from app.model.paging import Take

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

log = logging.getLogger(__name__)

Bound: TypeAlias = tuple[TextClause, dict[str, Any]]
"""A statement with its parameters."""

PageBounds: TypeAlias = tuple[str, int, int, int]
"""Session id, after, before, archive: `after` is 0 and `before` is `NO_BOUND` for none, and
`archive` is 0 for all messages, 1 for active, 2 for archived."""

DATABASE_ERRORS = (SQLAlchemyError, OSError, EOFError)
"""What reaches us when a database fails: drivers let some errors of the network through as they
are."""

UNREAD = {
    "owner_id": "''",
    "key": "''",
    "kind": "'direct'",
    "metadata": "'{}'",
    "created_at": "''",
    "updated_at": "''",
    "last_activity_at": "''",
    "message_count": "0",
    "archived_message_count": "0",
    "last_sequence": "0",
    "epoch": "''",
    "revision": "0",
    "role": "'user'",
    "status": "'complete'",
    "parts": "'[]'",
}
"""What stands for a column that is not read, where that is not null."""

NO_BOUND = 2**62
"""Past every sequence and revision, and still a 64-bit number when one is added."""


class PageShape(NamedTuple):
    """What pages of messages have in common that one statement reads."""

    take: Take
    limit: int
    wanted: frozenset[str] | None
    """The columns that are read, None for all."""


class Failure(Enum):
    """What an error of a database means. After each of them nothing was changed."""

    BUSY = auto()
    """Another transaction was in the way: the same again may work."""
    DISCONNECTED = auto()
    """The connection broke, or there was none: the same again may work on another."""
    CONTRADICTED = auto()
    """A unique or foreign key was in the way, which another transaction has just set."""
    INVALID = auto()
    """A value is none that the database can keep."""
    FULL = auto()
    READ_ONLY = auto()
    FORBIDDEN = auto()
    """The database does not let this user do it."""
    OTHER = auto()


_MEANINGS = {
    Failure.BUSY: "the store is busy: others are writing to it; try again",
    Failure.DISCONNECTED: "the database can't be reached; nothing was changed, try again",
    Failure.CONTRADICTED: "others were writing the same; nothing was changed, try again",
    Failure.FULL: "the disk is full: nothing was changed; make room and try again",
    Failure.READ_ONLY: "the store is read-only, so nothing was changed: make it writable, or use "
    "the one that takes writes",
    Failure.FORBIDDEN: "the database does not let its user write, so nothing was changed: grant "
    "that user all on the store's tables",
    Failure.OTHER: "the store failed; nothing was changed",
}


def explain(failure: Failure) -> ScrollbackError:
    """Returns what a failure means to who asked, without the database's internals."""
    if failure is Failure.INVALID:
        return InvalidInput("a value is too long for the store, or none that it can keep")
    return StoreUnavailable(_MEANINGS[failure])


def columns(names: Iterable[Column[Any]], alias: str, wanted: frozenset[str] | None = None) -> str:
    """Returns a list of columns as it is written in a statement.

    Those that are not `wanted` (None: all are) are empty in their place, and are not read.
    """
    return ", ".join(
        f"{alias}.{column.name}"
        if wanted is None or column.name in wanted
        else f"{UNREAD.get(column.name, 'NULL')} AS {column.name}"
        for column in names
    )


@lru_cache(maxsize=256)
def update_sessions_by_id(names: tuple[str, ...]) -> Update:
    """Returns the statement that sets these columns, in this order, of the session `of`."""
    assignments: list[tuple[Any, Any]] = [(sessions.c[name], bindparam(name)) for name in names]
    return update(sessions).where(sessions.c.id == bindparam("of")).ordered_values(*assignments)


def _named(names: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    return [dict(zip(names, row, strict=True)) for row in rows]


class Dialect(ABC):
    """One kind of database. Statements are written where tables, not rows, would be read else.

    `owner` is that of the scope, None for everything. A list of row values in a condition makes
    every database here read whole tables, so what is asked for comes in as a table of its own.
    """

    name: str
    transactional_ddl: bool
    """Whether a migration that breaks off leaves nothing."""
    search: SearchIndex
    """Where candidates of a search are found."""
    merges: bool = False
    """Whether one statement reads any number of keys, so that reads can be merged (`merging`)."""
    packs: bool = False
    """Whether several rows are better read as one JSON text (`packed`)."""
    driver_errors: tuple[type[Exception], ...] = ()
    """What the driver raises where it is used directly."""

    @abstractmethod
    def one_of(self, column: Column[Any], count: int) -> ColumnElement[bool]:
        """Returns the condition that a column holds one of the values that `ids` gives."""

    @abstractmethod
    def ids(self, values: Sequence[str]) -> dict[str, Any]:
        """Returns the parameters of `one_of`."""

    @abstractmethod
    def find_sessions(self, keys: Sequence[tuple[str, str]], owner: str | None) -> Bound:
        """Returns the statement that finds sessions by `(owner, key)`.

        Rows: `SESSION_COLUMNS`. Served by the unique index of owner and key.
        """

    @abstractmethod
    def get_messages(self, ids: Sequence[tuple[str, int]], owner: str | None) -> Bound:
        """Returns the statement that reads messages by `(session id, sequence)`.

        Rows: `MESSAGE_COLUMNS`. Served by the primary keys.
        """

    @abstractmethod
    def page_messages(
        self, shape: PageShape, requests: Sequence[PageBounds], owner: str | None
    ) -> Bound:
        """Returns the statement that reads pages of many sessions at once.

        Rows, in any order: number of the request, whether something lies beyond the bound before
        and behind, then `MESSAGE_COLUMNS` with what is wanted of them (the sequence is null
        where the page is empty); one item more than the limit where there is more. Every range is
        one of the primary key of `messages`; sessions out of scope give no row.
        """

    def packed_message_pages(
        self, shape: PageShape, requests: Sequence[PageBounds], owner: str | None
    ) -> Bound | None:
        """Returns the statement that reads the same pages, each as one JSON text (`packed`).

        Rows: number of the request, whether something lies beyond the bound before and behind,
        the text in UTF-8. None where rows are as good.
        """
        return None

    def packed_end_pages(
        self, shape: PageShape, scope: MessageScope, ids: Sequence[str], owner: str | None
    ) -> Bound | None:
        """Returns the statement that reads the first or last messages of sessions as JSON.

        It is `packed_message_pages` for windows without bounds, which most are: about a third of
        what it does is to look at bounds.
        """
        return None

    @abstractmethod
    def read_logs(
        self, reads: Sequence[tuple[str, str | None, int, int]], owner: str | None
    ) -> Bound:
        """Returns the statement that reads slices of many logs at once.

        Reads: `(session id, epoch or None, revision, limit)`. Rows: number of the read, the log's
        epoch and top, whether the position is none of this log, then `EVENT_COLUMNS` and
        `MESSAGE_COLUMNS`, ordered by read and revision. Revisions have no gap, so a slice is a
        range of the primary key of `events`.
        """

    @abstractmethod
    def lock_sessions(self, ids: Sequence[tuple[str, str | None]], *, wait: bool) -> Bound:
        """Returns the statement that reads and locks sessions by `(id, owner or None)`.

        Rows: the owner that was asked for, `SESSION_COLUMNS`, `archived_through`. With an owner
        the session is read if it is theirs. Locks are taken in the order of ids, so that no two
        writers wait for each other; unless `wait`, sessions that others hold are left out.
        """

    @abstractmethod
    def find_attempts(self, keys: Sequence[tuple[str, str]]) -> Bound:
        """Returns the statement that reads used idempotency keys by `(session id, key)`.

        Rows: `IDEMPOTENCY_COLUMNS`. Served by the primary key.
        """

    def fetch(self, connection: Connection, query: Bound) -> Iterable[Sequence[Any]]:
        """Returns the rows of a statement that a commit reads with."""
        return connection.execute(*query)

    def insert(self, connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Adds rows, each with a value for every column in the order of the table."""
        if rows:
            connection.execute(insert(table), _named(table.c.keys(), rows))

    def update_sessions(
        self,
        connection: Connection,
        names: tuple[str, ...],
        changes: Sequence[tuple[Any, ...]],
        whole: Callable[[], Sequence[dict[str, Any]]],
    ) -> None:
        """Sets these columns of sessions that are there.

        `changes` hold the columns' values and the session's id behind them; `whole` returns the
        rows as they are afterwards, for those who need them whole.
        """
        connection.execute(update_sessions_by_id(names), _named((*names, "of"), changes))

    def past(
        self, place: tuple[Any, ...], bound: tuple[Any, ...], *, forward: bool, inclusive: bool
    ) -> ColumnElement[bool]:
        """Returns the condition that a place in an order lies past a bound."""
        here, there = tuple_(*place), tuple_(*bound)
        if inclusive:
            return here >= there if forward else here <= there
        return here > there if forward else here < there

    def by_index(self, statement: Select[Any], table: FromClause, index: str) -> Select[Any]:
        """Returns the statement, told which index to read a table by where that must be told."""
        return statement

    def contains(
        self, column: ColumnElement[str], part: ColumnElement[str] | str
    ) -> ColumnElement[bool]:
        """Returns the condition that a column's text holds another, code point by code point."""
        return func.instr(column, part) > 0

    @abstractmethod
    def insert_missing(self, table: Table) -> Executable:
        """Returns an insert that leaves rows alone whose key is there already."""

    @abstractmethod
    def insert_or_update(self, table: Table, *names: str) -> Executable:
        """Returns an insert that sets these columns where the key is there already."""

    def add_missing(
        self, connection: Connection, table: Table, rows: Sequence[dict[str, Any]]
    ) -> None:
        """Adds the rows whose key is not there yet; leaves the others as they are."""
        if rows:
            connection.execute(self.insert_missing(table), rows)

    @abstractmethod
    def snapshot(self, connection: AsyncConnection) -> AbstractAsyncContextManager[None]:
        """Holds a read transaction: all that is read in it is of one moment."""

    @abstractmethod
    def migrating(self, connection: Connection) -> AbstractContextManager[None]:
        """Keeps other processes from migrating, inside the connection's transaction."""

    @abstractmethod
    def failure(self, error: Exception) -> Failure:
        """Returns what an error means."""

    def explain(self, error: Exception) -> ScrollbackError:
        """Returns what an error means to who asked; what is not known goes to the log as well."""
        failure = self.failure(error)
        if failure is Failure.OTHER:
            log.error("database_failed", exc_info=error)
        return explain(failure)

    @abstractmethod
    def findings(self, connection: AsyncConnection) -> AsyncIterator[Finding]:
        """Yields what is to be said of the database itself."""
