"""SQLite: engines, pragmas, and the statements that other databases write differently."""

from __future__ import annotations

import sqlite3
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, TextClause, create_engine, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.backends.sql.rows import EVENT_COLUMNS, MESSAGE_COLUMNS, SESSION_COLUMNS
from app.model.paging import Take

APPLICATION_ID = 0x53434231
"""Marks a database file as ours (`PRAGMA application_id`): the letters SCB1."""

WAL_RESET_FIXED = (3, 51, 3)
"""The first SQLite without the write-ahead log reset bug (https://sqlite.org/wal.html)."""

_READERS = 4


def create_reader(path: Path) -> AsyncEngine:
    """Returns an engine whose statements each see one consistent state and write nothing."""
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        pool_size=_READERS,
        max_overflow=0,
        pool_timeout=30,
        # Without a transaction there is nothing to roll back when a connection is returned.
        pool_reset_on_return=None,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
    )
    _on_connect(engine.sync_engine, writing=False)
    return engine


def create_writer(path: Path) -> AsyncEngine:
    """Returns an engine with a connection for long writes that wait for their source."""
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)), pool_size=1, max_overflow=0
    )
    _on_connect(engine.sync_engine, writing=True)
    _begin_immediately(engine.sync_engine)
    return engine


def create_committer(path: Path) -> Engine:
    """Returns an engine with the connection of the committing thread.

    It is driven from one thread of its own: a whole group of commits is then one hop, where the
    asynchronous driver takes one for every statement.
    """
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(path)),
        pool_size=1,
        max_overflow=0,
        connect_args={"check_same_thread": False},
    )
    _on_connect(engine, writing=True)
    _begin_immediately(engine)
    return engine


def _begin_immediately(engine: Engine) -> None:
    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        # DEFERRED would fail on its first write when another connection wrote since its first
        # read: 183 of 1,000 appends came through.
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _on_connect(engine: Engine, *, writing: bool) -> None:
    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        # The driver's own transactions off: it would begin them late, and DEFERRED.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout = 5000")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA cache_size = -16384")
        cursor.execute("PRAGMA mmap_size = 268435456")
        if writing:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")
        else:
            cursor.execute("PRAGMA query_only = ON")
            cursor.execute("PRAGMA wal_autocheckpoint = 0")
        cursor.close()


def sqlite_version() -> tuple[int, int, int]:
    """Returns the version of the SQLite library in use."""
    return sqlite3.sqlite_version_info


def _columns(columns: tuple[Any, ...], alias: str) -> str:
    return ", ".join(f"{alias}.{column.name}" for column in columns)


# CROSS JOIN and the plus keep the planner to the primary key of `sessions`: left to itself it
# reads every session of the owner by an index of the owner.
_SESSION_OF_REQUEST = {
    False: "CROSS JOIN sessions s ON s.id = r.value ->> 0",
    True: "CROSS JOIN sessions s ON s.id = r.value ->> 0 AND +s.owner_id = :owner",
}


@lru_cache(maxsize=2)
def find_sessions(*, scoped: bool) -> TextClause:
    """Returns the statement that finds sessions by owner and key.

    Parameters: `keys`, a JSON array of `[owner, key]`, and `owner` where scoped. Rows: sessions.
    Served by the unique index of owner and key; a list of row values would read every session.
    """
    return text(
        f"""
        SELECT {_columns(SESSION_COLUMNS, "s")}
        FROM json_each(:keys) r
        CROSS JOIN sessions s ON s.owner_id = r.value ->> 0 AND s.key = r.value ->> 1
        {"AND +s.owner_id = :owner" if scoped else ""}
        """  # noqa: S608 - nothing in it comes from a client
    )


@lru_cache(maxsize=2)
def get_messages(*, scoped: bool) -> TextClause:
    """Returns the statement that reads messages by id.

    Parameters: `ids`, a JSON array of `[session id, sequence]`, and `owner` where scoped. Rows:
    messages. Served by the primary key; a list of row values would read every message.
    """
    return text(
        f"""
        SELECT {_columns(MESSAGE_COLUMNS, "m")}
        FROM json_each(:ids) r
        CROSS JOIN sessions s ON s.id = r.value ->> 0
        {"AND +s.owner_id = :owner" if scoped else ""}
        CROSS JOIN messages m ON m.session_id = s.id AND m.sequence = r.value ->> 1
        """  # noqa: S608 - nothing in it comes from a client
    )


@lru_cache(maxsize=256)
def page_messages(take: Take, limit: int, *, scoped: bool) -> TextClause:
    """Returns the statement that reads pages of many sessions at once.

    Parameters: `requests`, a JSON array of `[session id, after, before, archive]` (`after`
    0 and `before` a number past all sequences where there is no bound; `archive` 0 all, 1 active,
    2 archived), and `owner` where scoped. Rows: number of the request, whether something lies
    beyond the bound before and behind, then the message (nulls where the page is empty); one item
    more than `limit` where there is more. Every range is one of the primary key of `messages`;
    sessions out of scope give no row.
    """
    direction = "DESC" if take is Take.LAST else "ASC"
    return text(
        f"""
        WITH request AS MATERIALIZED (
            SELECT r.key AS number, s.id AS session_id,
                   r.value ->> 1 AS after, r.value ->> 2 AS before,
                   iif(r.value ->> 3 = 1, s.archived_through, 0) AS low,
                   iif(r.value ->> 3 = 2, s.archived_through, {NO_BOUND}) AS high
            FROM json_each(:requests) r
            {_SESSION_OF_REQUEST[scoped]}
        )
        SELECT r.number,
               r.after > 0 AND EXISTS (
                   SELECT 1 FROM messages b WHERE b.session_id = r.session_id
                   AND b.sequence > r.low AND b.sequence <= min(r.after, r.high)),
               r.before < {NO_BOUND} AND EXISTS (
                   SELECT 1 FROM messages b WHERE b.session_id = r.session_id
                   AND b.sequence > max(r.before - 1, r.low) AND b.sequence <= r.high),
               {_columns(MESSAGE_COLUMNS, "m")}
        FROM request r
        LEFT JOIN messages m ON m.session_id = r.session_id AND m.sequence IN (
            SELECT i.sequence FROM messages i WHERE i.session_id = r.session_id
            AND i.sequence > max(r.after, r.low)
            AND i.sequence < min(r.before, r.high + 1)
            ORDER BY i.sequence {direction} LIMIT {limit + 1})
        ORDER BY r.number, m.sequence
        """  # noqa: S608 - nothing in it comes from a client
    )


NO_BOUND = 2**62
"""Past every sequence, and still a 64-bit number when one is added."""


@lru_cache(maxsize=2)
def read_logs(*, scoped: bool) -> TextClause:
    """Returns the statement that reads slices of many logs at once.

    Parameters: `reads`, a JSON array of `[session id, epoch or null, revision, limit]`, and
    `owner` where scoped. Rows: number of the read, the log's epoch and top, whether the position
    is none of this log, then the event and its message. Revisions have no gap, so a slice is a
    range of the primary key of `events`.
    """
    return text(
        f"""
        WITH request AS MATERIALIZED (
            SELECT r.key AS number, s.id AS session_id, s.epoch, s.revision AS top,
                   r.value ->> 2 AS after, r.value ->> 3 AS size,
                   (r.value ->> 1 IS NOT NULL AND r.value ->> 1 <> s.epoch)
                   OR r.value ->> 2 > s.revision AS gap
            FROM json_each(:reads) r
            {_SESSION_OF_REQUEST[scoped]}
        )
        SELECT r.number, r.epoch, r.top, r.gap,
               {_columns(EVENT_COLUMNS, "e")}, {_columns(MESSAGE_COLUMNS, "m")}
        FROM request r
        LEFT JOIN events e ON e.session_id = r.session_id AND NOT r.gap
            AND e.revision > r.after AND e.revision <= r.after + r.size
        LEFT JOIN messages m ON m.session_id = e.session_id AND m.sequence = e.sequence
        ORDER BY r.number, e.revision
        """  # noqa: S608 - nothing in it comes from a client
    )
