"""SQLite's engines: for reading and committing in threads, and for what takes its time."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Engine, create_engine, event

_READERS = 4
_CHECKPOINT_PAGES = 4_000
"""How long the write-ahead log grows, 16 MB: a page that many commits have changed, such as the
end of an index, is then copied to the database once."""


def create_reader(path: Path) -> Engine:
    """Returns an engine with a connection that writes nothing, for any thread."""
    engine = create_engine(
        _existing("sqlite+pysqlite", path),
        hide_parameters=True,
        pool_size=1,
        max_overflow=0,
        pool_reset_on_return=None,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        connect_args={"check_same_thread": False},
    )
    _on_connect(engine, writing=False)
    return engine


def create_async_reader(path: Path) -> Engine:
    """Returns an engine for `AsyncEngine`; each statement sees one state and writes nothing."""
    engine = create_engine(
        _existing("sqlite+aiosqlite", path),
        hide_parameters=True,
        pool_size=_READERS,
        max_overflow=0,
        pool_timeout=30,
        # Without a transaction there is nothing to roll back when a connection is returned.
        pool_reset_on_return=None,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
    )
    _on_connect(engine, writing=False)
    return engine


def create_async_writer(path: Path) -> Engine:
    """Returns an engine for `AsyncEngine`, for long writes that wait for their source."""
    engine = create_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        hide_parameters=True,
        pool_size=1,
        max_overflow=0,
    )
    _on_connect(engine, writing=True)
    _begin_immediately(engine)
    return engine


def create_committer(path: Path) -> Engine:
    """Returns an engine with the connection of the committing thread.

    It is driven from one thread of its own, which keeps its connection: a whole group of commits
    is then one hop, where the asynchronous driver takes one for every statement.
    """
    engine = create_engine(
        _existing("sqlite+pysqlite", path),
        hide_parameters=True,
        pool_size=1,
        max_overflow=1,
        connect_args={"check_same_thread": False},
    )
    _on_connect(engine, writing=True)
    _begin_immediately(engine)
    return engine


def connect_reader(path: Path) -> sqlite3.Connection:
    """Returns a connection of the driver's own that writes nothing."""
    name = f"{_file(path)}?mode=rw"
    connection = sqlite3.connect(name, uri=True, isolation_level=None, cached_statements=512)
    _prepare(connection, writing=False)
    return connection


def _existing(driver: str, path: Path) -> URL:
    """Returns the URL of a file that is there: where it is not, SQLite would make an empty one."""
    return URL.create(driver, database=_file(path), query={"mode": "rw", "uri": "true"})


def _file(path: Path) -> str:
    return f"file:{quote(str(path.absolute()))}"


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
        _prepare(connection, writing=writing)


def _prepare(connection: Any, *, writing: bool) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout = 5000")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA cache_size = -16384")
    cursor.execute("PRAGMA mmap_size = 268435456")
    if writing:
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    else:
        cursor.execute("PRAGMA query_only = ON")
        cursor.execute("PRAGMA wal_autocheckpoint = 0")
    cursor.close()
