"""SQLite's engines: for reading and committing in threads, and for what takes its time."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Engine, create_engine, event

from app.backends.sql.dialects.sqlite_writes import database_error

_BEGIN = "BEGIN IMMEDIATE"
_READERS = 4
_CHECKPOINT_PAGES = 4_000
"""How long the write-ahead log grows, 16 MB: a page that many commits have changed, such as the
end of an index, is then copied to the database once."""
_MAP_BYTES = 1 << 30
"""How much of a file is read as memory that the system shares and takes back. What is beyond is
copied into the connection's cache first."""
_LONG_WRITE_CACHE_KIB = 16_384
"""An import changes more pages than a commit: each that does not fit goes to the log at once, and
again when it is changed again. What reads and commits keeps to SQLite's two megabytes, with which
it took no more time than with sixteen, of memory that it would not give back: it reads through
the map."""


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
    _on_connect(engine, writing=True, cache_kib=_LONG_WRITE_CACHE_KIB)
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
        driver = connection.connection.dbapi_connection
        if not isinstance(driver, sqlite3.Connection):
            connection.exec_driver_sql(_BEGIN)
            return
        try:
            # SQLAlchemy would take as long for this as for all else that a small commit does.
            driver.execute(_BEGIN)
        except sqlite3.Error as error:
            raise database_error(_BEGIN, error) from error


def _on_connect(engine: Engine, *, writing: bool, cache_kib: int | None = None) -> None:
    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        # The driver's own transactions off: it would begin them late, and DEFERRED.
        connection.isolation_level = None
        _prepare(connection, writing=writing, cache_kib=cache_kib)


def _prepare(connection: Any, *, writing: bool, cache_kib: int | None = None) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout = 5000")
    cursor.execute("PRAGMA foreign_keys = ON")
    if cache_kib is not None:
        cursor.execute(f"PRAGMA cache_size = -{cache_kib}")
    cursor.execute(f"PRAGMA mmap_size = {_MAP_BYTES}")
    if writing:
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    else:
        cursor.execute("PRAGMA query_only = ON")
        cursor.execute("PRAGMA wal_autocheckpoint = 0")
    cursor.close()
