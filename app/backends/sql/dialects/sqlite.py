"""SQLite: the statements that other databases write differently, and what its errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Executable,
    Table,
    Text,
    TextClause,
    bindparam,
    func,
    select,
    text,
)
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.backends.protocol import Finding, Severity
from app.backends.sql.dialects.dialect import (
    NO_BOUND,
    Bound,
    Dialect,
    Failure,
    PageBounds,
    PageShape,
    columns,
    update_sessions_by_id,
)
from app.backends.sql.dialects.packed_messages import packed_items, within
from app.backends.sql.dialects.sqlite_search import SqliteSearchIndex
from app.backends.sql.dialects.sqlite_writes import SqliteWrites
from app.backends.sql.rows import (
    EVENT_COLUMNS,
    IDEMPOTENCY_COLUMNS,
    MESSAGE_COLUMNS,
    SESSION_COLUMNS,
)
from app.model.message import MessageScope
from app.model.paging import Take

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

APPLICATION_ID = 0x53434231
"""Marks a database file as ours (`PRAGMA application_id`): the letters SCB1."""

WAL_RESET_FIXED = (3, 51, 3)
"""The first SQLite without the write-ahead log reset bug (https://sqlite.org/wal.html)."""


def sqlite_version() -> tuple[int, int, int]:
    """Returns the version of the SQLite library in use."""
    return sqlite3.sqlite_version_info


class SqliteDialect(Dialect):
    """SQLite 3.38 and newer. What is asked for comes in as JSON, one text for any number."""

    name = "sqlite"
    transactional_ddl = True
    merges = True
    packs = True
    driver_errors = (sqlite3.Error,)

    def __init__(self) -> None:
        self.search = SqliteSearchIndex()
        self._writes = SqliteWrites()

    def one_of(self, column: Column[Any], count: int) -> ColumnElement[bool]:
        given = func.json_each(bindparam("ids", type_=Text)).table_valued("value", name="r")
        return column.in_(select(given.c.value))

    def ids(self, values: Sequence[str]) -> dict[str, Any]:
        return {"ids": orjson.dumps(values).decode()}

    def find_sessions(self, keys: Sequence[tuple[str, str]], owner: str | None) -> Bound:
        return _bound(_find_sessions(owner is not None), keys, owner)

    def get_messages(self, ids: Sequence[tuple[str, int]], owner: str | None) -> Bound:
        return _bound(_get_messages(owner is not None), ids, owner)

    def page_messages(
        self, shape: PageShape, requests: Sequence[PageBounds], owner: str | None
    ) -> Bound:
        return _bound(_page_messages(shape, owner is not None), requests, owner)

    def packed_message_pages(
        self, shape: PageShape, requests: Sequence[PageBounds], owner: str | None
    ) -> Bound | None:
        return _bound(_packed_message_pages(shape, owner is not None), requests, owner)

    def packed_end_pages(
        self, shape: PageShape, scope: MessageScope, ids: Sequence[str], owner: str | None
    ) -> Bound | None:
        statement = _packed_end_pages(shape, scope, owner is not None)
        return _bound(statement, ids, owner)

    def read_logs(
        self, reads: Sequence[tuple[str, str | None, int, int]], owner: str | None
    ) -> Bound:
        return _bound(_read_logs(owner is not None), reads, owner)

    def lock_sessions(self, ids: Sequence[tuple[str, str | None]], *, wait: bool) -> Bound:
        # The transaction began IMMEDIATE: no other can write.
        return _bound(_LOCK_SESSIONS, ids, None)

    def find_attempts(self, keys: Sequence[tuple[str, str]]) -> Bound:
        return _bound(_FIND_ATTEMPTS, keys, None)

    def version(self, connection: Connection) -> int:
        """Returns a number that another connection's commits change, inside a transaction.

        It begins one where there is none. See https://sqlite.org/pragma.html#pragma_data_version.
        """
        ((version,),) = self._writes.fetch(connection, (_DATA_VERSION, {}))
        return int(version)

    def fetch(self, connection: Connection, query: Bound) -> Iterable[Sequence[Any]]:
        return self._writes.fetch(connection, query)

    def insert(self, connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        self._writes.insert(connection, table, rows)

    def update_sessions(
        self,
        connection: Connection,
        names: tuple[str, ...],
        changes: Sequence[tuple[Any, ...]],
        whole: Callable[[], Sequence[dict[str, Any]]],
    ) -> None:
        self._writes.run(connection, update_sessions_by_id(names), changes)

    def insert_missing(self, table: Table) -> Executable:
        return insert(table).on_conflict_do_nothing()

    def insert_or_update(self, table: Table, *names: str) -> Executable:
        statement = insert(table)
        return statement.on_conflict_do_update(
            index_elements=list(table.primary_key),
            set_={name: statement.excluded[name] for name in names},
        )

    @asynccontextmanager
    async def snapshot(self, connection: AsyncConnection) -> AsyncIterator[None]:
        await connection.exec_driver_sql("BEGIN")
        try:
            yield
        finally:
            await connection.exec_driver_sql("COMMIT")

    @contextmanager
    def migrating(self, connection: Connection) -> Iterator[None]:
        # The transaction began IMMEDIATE: no other can write.
        yield

    def failure(self, error: Exception) -> Failure:
        cause = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        if "database is locked" in cause or "busy" in cause:
            return Failure.BUSY
        if isinstance(error, (IntegrityError, sqlite3.IntegrityError)):
            return Failure.CONTRADICTED
        if "too big" in cause or "JSON" in cause:
            # The latter is what packing a row that is damaged comes to.
            return Failure.INVALID
        if "full" in cause:
            return Failure.FULL
        return Failure.READ_ONLY if "readonly" in cause else Failure.OTHER

    async def findings(self, connection: AsyncConnection) -> AsyncIterator[Finding]:
        version = sqlite_version()
        if version < WAL_RESET_FIXED:
            yield Finding(
                Severity.WARNING,
                "SQLITE_VERSION",
                f"SQLite {'.'.join(map(str, version))} can lose data when a program that is not "
                "Scrollback checkpoints the write-ahead log of this store",
                "Use SQLite 3.51.3 or newer, or let no other program write to the store's file.",
            )
        rows = await connection.exec_driver_sql("PRAGMA quick_check(10)")
        broken = [row[0] for row in rows if row[0] != "ok"]
        if broken:
            yield Finding(
                Severity.ERROR,
                "DATABASE_DAMAGED",
                f"SQLite finds the file damaged: {'; '.join(broken)}",
                "Restore the newest backup, or run `scrollback export` to save what can be read.",
            )


def _bound(statement: TextClause, rows: Sequence[Any], owner: str | None) -> Bound:
    parameters = {"rows": orjson.dumps(rows).decode()}
    if owner is not None:
        parameters["owner"] = owner
    return statement, parameters


# CROSS JOIN and the plus keep the planner to the primary key of `sessions`: left to itself it
# reads every session of the owner by an index of the owner.
_SESSION_OF_REQUEST = {
    False: "CROSS JOIN sessions s ON s.id = r.value ->> 0",
    True: "CROSS JOIN sessions s ON s.id = r.value ->> 0 AND +s.owner_id = :owner",
}


_DATA_VERSION = text("PRAGMA data_version")
_LOCK_SESSIONS = text(
    f"""
    SELECT r.value ->> 1, {columns(SESSION_COLUMNS, "s")}, s.archived_through
    FROM json_each(:rows) r
    CROSS JOIN sessions s ON s.id = r.value ->> 0
    AND (r.value ->> 1 IS NULL OR +s.owner_id = r.value ->> 1)
    """  # noqa: S608 - nothing in it comes from a client
)
_FIND_ATTEMPTS = text(
    f"""
    SELECT {columns(IDEMPOTENCY_COLUMNS, "k")}
    FROM json_each(:rows) r
    CROSS JOIN idempotency_keys k ON k.session_id = r.value ->> 0 AND k.key = r.value ->> 1
    """  # noqa: S608 - nothing in it comes from a client
)


@lru_cache(maxsize=2)
def _find_sessions(scoped: bool) -> TextClause:
    return text(
        f"""
        SELECT {columns(SESSION_COLUMNS, "s")}
        FROM json_each(:rows) r
        CROSS JOIN sessions s ON s.owner_id = r.value ->> 0 AND s.key = r.value ->> 1
        {"AND +s.owner_id = :owner" if scoped else ""}
        """  # noqa: S608 - nothing in it comes from a client
    )


@lru_cache(maxsize=2)
def _get_messages(scoped: bool) -> TextClause:
    return text(
        f"""
        SELECT {columns(MESSAGE_COLUMNS, "m")}
        FROM json_each(:rows) r
        CROSS JOIN sessions s ON s.id = r.value ->> 0
        {"AND +s.owner_id = :owner" if scoped else ""}
        CROSS JOIN messages m ON m.session_id = s.id AND m.sequence = r.value ->> 1
        """  # noqa: S608 - nothing in it comes from a client
    )


@lru_cache(maxsize=256)
def _page_messages(shape: PageShape, scoped: bool) -> TextClause:
    take, limit, wanted = shape
    return text(
        f"""
        {_pages(take, limit, scoped)}
        SELECT r.number, r.has_before, r.has_behind, {columns(MESSAGE_COLUMNS, "m", wanted)}
        FROM page r LEFT JOIN messages m ON m.session_id = r.session_id AND {_RANGES[take]}
        """  # noqa: S608 - nothing in it comes from a client
    )


@lru_cache(maxsize=256)
def _packed_message_pages(shape: PageShape, scoped: bool) -> TextClause:
    take, limit, wanted = shape
    # A subquery for each page, where grouping would sort all messages with their words.
    return text(
        f"""
        {_pages(take, limit, scoped)}
        SELECT r.number, r.has_before, r.has_behind, (
            SELECT CAST({_packed(wanted)} AS BLOB)
            FROM messages m WHERE m.session_id = r.session_id AND {_RANGES[take]}
        )
        FROM page r
        """  # noqa: S608 - nothing in it comes from a client
    )


@lru_cache(maxsize=256)
def _packed_end_pages(shape: PageShape, scope: MessageScope, scoped: bool) -> TextClause:
    take, limit, wanted = shape
    direction, far = (
        ("DESC", "m.sequence >= r.far") if take is Take.LAST else ("ASC", "m.sequence <= r.far")
    )
    none_so_far = "0" if take is Take.LAST else str(NO_BOUND)
    return text(
        f"""
        WITH page AS MATERIALIZED (
            SELECT r.key AS number, s.id AS session_id,
                   s.archived_through, coalesce((
                SELECT i.sequence FROM messages i WHERE i.session_id = s.id
                AND {within(scope, "i.sequence", "s.archived_through")}
                ORDER BY i.sequence {direction} LIMIT 1 OFFSET {limit}), {none_so_far}) AS far
            FROM json_each(:rows) r
            CROSS JOIN sessions s ON s.id = r.value {"AND +s.owner_id = :owner" if scoped else ""}
        )
        SELECT r.number, 0, 0, (
            SELECT CAST({_packed(wanted)} AS BLOB)
            FROM messages m WHERE m.session_id = r.session_id AND {far}
            AND {within(scope, "m.sequence", "r.archived_through")}
        )
        FROM page r
        """  # noqa: S608 - nothing in it comes from a client
    )


def _packed(wanted: frozenset[str] | None) -> str:
    return packed_items("m", wanted, "group_concat", "json_group_array({})".format, _quoted)


def _quoted(expression: str) -> str:
    return f"json_quote({expression})"


# A page is a range of the primary key, and its far end the place of one message: looked up
# one by one after a subquery with LIMIT, the same messages take three times as long.
_RANGES = {
    Take.LAST: "m.sequence >= r.far AND m.sequence < r.high",
    Take.FIRST: "m.sequence > r.low AND m.sequence <= r.far",
}


def _pages(take: Take, limit: int, scoped: bool) -> str:
    """Returns the table expression `page`: of each request its session and range."""
    if take is Take.LAST:
        direction, none_so_far = "DESC", "r.low + 1"
    else:
        direction, none_so_far = "ASC", "r.high - 1"
    return f"""
        WITH request AS MATERIALIZED (
            SELECT r.key AS number, s.id AS session_id,
                   r.value ->> 1 AS after, r.value ->> 2 AS before,
                   iif(r.value ->> 3 = 1, s.archived_through, 0) AS floor,
                   iif(r.value ->> 3 = 2, s.archived_through, {NO_BOUND}) AS ceiling
            FROM json_each(:rows) r
            {_SESSION_OF_REQUEST[scoped]}
        ), span AS MATERIALIZED (
            SELECT r.number, r.session_id,
                   max(r.after, r.floor) AS low, min(r.before, r.ceiling + 1) AS high,
                   r.after > 0 AND EXISTS (
                       SELECT 1 FROM messages b WHERE b.session_id = r.session_id
                       AND b.sequence > r.floor AND b.sequence <= min(r.after, r.ceiling)
                   ) AS has_before,
                   r.before < {NO_BOUND} AND EXISTS (
                       SELECT 1 FROM messages b WHERE b.session_id = r.session_id
                       AND b.sequence > max(r.before - 1, r.floor) AND b.sequence <= r.ceiling
                   ) AS has_behind
            FROM request r
        ), page AS MATERIALIZED (
            SELECT r.*, coalesce((
                SELECT i.sequence FROM messages i WHERE i.session_id = r.session_id
                AND i.sequence > r.low AND i.sequence < r.high
                ORDER BY i.sequence {direction} LIMIT 1 OFFSET {limit}), {none_so_far}) AS far
            FROM span r
        )"""  # noqa: S608 - nothing in it comes from a client


@lru_cache(maxsize=2)
def _read_logs(scoped: bool) -> TextClause:
    return text(
        f"""
        WITH request AS MATERIALIZED (
            SELECT r.key AS number, s.id AS session_id, s.epoch, s.revision AS top,
                   r.value ->> 2 AS after, r.value ->> 3 AS size,
                   (r.value ->> 1 IS NOT NULL AND r.value ->> 1 <> s.epoch)
                   OR r.value ->> 2 > s.revision AS gap
            FROM json_each(:rows) r
            {_SESSION_OF_REQUEST[scoped]}
        )
        SELECT r.number, r.epoch, r.top, r.gap,
               {columns(EVENT_COLUMNS, "e")}, {columns(MESSAGE_COLUMNS, "m")}
        FROM request r
        LEFT JOIN events e ON e.session_id = r.session_id AND NOT r.gap
            AND e.revision > r.after AND e.revision <= r.after + r.size
        LEFT JOIN messages m ON m.session_id = e.session_id AND m.sequence = e.sequence
        ORDER BY r.number, e.revision
        """  # noqa: S608 - nothing in it comes from a client
    )
