"""SQLite: the statements that other databases write differently, and what its errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Executable,
    Table,
    Text,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.backends.protocol import Finding, Severity
from app.backends.sql.dialects import sqlite_statements as statements
from app.backends.sql.dialects.dialect import (
    Bound,
    Dialect,
    Failure,
    PageBounds,
    PageShape,
    update_sessions_by_id,
)
from app.backends.sql.dialects.sqlite_search import SqliteSearchIndex
from app.backends.sql.dialects.sqlite_writes import SqliteWrites
from app.model.message import MessageScope

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
        return statements.bound(statements.find_sessions(owner is not None), keys, owner)

    def get_messages(self, ids: Sequence[tuple[str, int]], owner: str | None) -> Bound:
        return statements.bound(statements.get_messages(owner is not None), ids, owner)

    def page_messages(
        self, shape: PageShape, requests: Sequence[PageBounds], owner: str | None
    ) -> Bound:
        return statements.bound(statements.page_messages(shape, owner is not None), requests, owner)

    def packed_message_pages(
        self, shape: PageShape, requests: Sequence[PageBounds], owner: str | None
    ) -> Bound | None:
        return statements.bound(
            statements.packed_message_pages(shape, owner is not None), requests, owner
        )

    def packed_end_pages(
        self, shape: PageShape, scope: MessageScope, ids: Sequence[str], owner: str | None
    ) -> Bound | None:
        statement = statements.packed_end_pages(shape, scope, owner is not None)
        return statements.bound(statement, ids, owner)

    def read_logs(
        self, reads: Sequence[tuple[str, str | None, int, int]], owner: str | None
    ) -> Bound:
        return statements.bound(statements.read_logs(owner is not None), reads, owner)

    def lock_sessions(self, ids: Sequence[tuple[str, str | None]], *, wait: bool) -> Bound:
        # The transaction began IMMEDIATE: no other can write.
        return statements.bound(statements.LOCK_SESSIONS, ids, None)

    def find_attempts(self, keys: Sequence[tuple[str, str]]) -> Bound:
        return statements.bound(statements.FIND_ATTEMPTS, keys, None)

    def version(self, connection: Connection) -> int:
        """Returns a number that another connection's commits change, inside a transaction.

        It begins one where there is none. See https://sqlite.org/pragma.html#pragma_data_version.
        """
        ((version,),) = self._writes.fetch(connection, (statements.DATA_VERSION, {}))
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
