"""The derived index: an SQLite file beside the sessions that can be deleted at any time.

It holds the catalogue (each session with its counters and how far its file is indexed), a row for
every message (which event holds its present content), what is searched (`texts`), used attempts,
names, deletions. All of it
is read from the files again when it is missing, damaged or of another version, under the index
lock that every writer shares while it writes; whoever finds another file under the name of the
index opens that one.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.backends.files.locks import Locks
from app.backends.files.names import Layout
from app.backends.files.texts import TABLES as TEXT_TABLES
from app.backends.mounts import is_full
from app.model.errors import StoreUnavailable

VERSION = 2
LOCK = "index"
_CHECKPOINT_BYTES = 8 << 20

_SCHEMA = """
CREATE TABLE sessions (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, owner_id TEXT NOT NULL, key TEXT NOT NULL,
    state BLOB NOT NULL, crc INTEGER NOT NULL,
    title_order TEXT NOT NULL, created_at TEXT NOT NULL, last_activity_at TEXT NOT NULL,
    updated_at TEXT NOT NULL, profile_id TEXT, agent_id TEXT, channel TEXT,
    pinned INTEGER NOT NULL, starred INTEGER NOT NULL, archived INTEGER NOT NULL,
    file BLOB NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX sessions_key ON sessions (owner_id, key);
CREATE INDEX sessions_activity ON sessions (last_activity_at, id);
CREATE INDEX sessions_owner_activity ON sessions (owner_id, last_activity_at, id);
CREATE INDEX sessions_created ON sessions (created_at, id);
CREATE INDEX sessions_owner_created ON sessions (owner_id, created_at, id);
CREATE INDEX sessions_title ON sessions (title_order, id);
CREATE INDEX sessions_owner_title ON sessions (owner_id, title_order, id);
CREATE INDEX sessions_owner_id ON sessions (owner_id, id);
CREATE TABLE messages (
    session_id TEXT NOT NULL, sequence INTEGER NOT NULL, revision INTEGER NOT NULL,
    size INTEGER NOT NULL, created_at TEXT NOT NULL, archived_at TEXT, preview TEXT,
    PRIMARY KEY (session_id, sequence)
) WITHOUT ROWID;
CREATE TABLE segments (
    session_id TEXT NOT NULL, first INTEGER NOT NULL, PRIMARY KEY (session_id, first)
) WITHOUT ROWID;
CREATE TABLE attempts (
    session_id TEXT NOT NULL, key TEXT NOT NULL, record BLOB NOT NULL,
    PRIMARY KEY (session_id, key)
) WITHOUT ROWID;
CREATE TABLE users (id TEXT PRIMARY KEY, display_name TEXT) WITHOUT ROWID;
CREATE TABLE agents (id TEXT PRIMARY KEY, display_name TEXT) WITHOUT ROWID;
CREATE TABLE profiles (id TEXT PRIMARY KEY, display_name TEXT) WITHOUT ROWID;
CREATE TABLE deletions (
    session_id TEXT PRIMARY KEY, owner_id TEXT NOT NULL, epoch TEXT NOT NULL,
    revision INTEGER NOT NULL, at TEXT NOT NULL, number INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE damages (
    digest TEXT PRIMARY KEY, source TEXT NOT NULL, line INTEGER NOT NULL, reason TEXT NOT NULL,
    content BLOB NOT NULL
);
CREATE TABLE registers (
    name TEXT PRIMARY KEY, inode INTEGER NOT NULL, size INTEGER NOT NULL,
    modified INTEGER NOT NULL, number INTEGER NOT NULL, missing BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE unreadable (
    name TEXT PRIMARY KEY, session_id TEXT, reason TEXT NOT NULL,
    inode INTEGER NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL
) WITHOUT ROWID;
"""

log = logging.getLogger(__name__)

Rebuild = Callable[[sqlite3.Connection], None]


def _fill_nothing(connection: sqlite3.Connection) -> None:
    """Leaves an index empty."""


class Index:
    """Connections to the index: one a thread for reading, one for writing at a time."""

    def __init__(self, layout: Layout, locks: Locks) -> None:
        self._path = layout.index
        self._locks = locks
        self._rebuild: Rebuild = _fill_nothing
        self._threads = threading.local()
        self._writing = threading.Lock()
        self._writer: _Connection | None = None
        self._open: list[_Connection] = []
        self._opening = threading.Lock()
        self._condemned: int | None = None

    def filled_by(self, rebuild: Rebuild) -> None:
        """Says what fills an empty index from the files."""
        self._rebuild = rebuild

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Gives this thread's connection in a transaction: what is read in it is of one moment."""
        connection = self._current_reader()
        try:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise self._failed(error) from error

    @contextmanager
    def sharing(self) -> Iterator[None]:
        """Keeps the index from being replaced, from before a file is written until it is indexed.

        Finds the index in place first, and makes it anew where it is not.
        """
        while True:
            self.ensure()
            with self._locks.hold(LOCK, shared=True):
                if self._inode() is not None:
                    yield
                    return

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Gives a connection in a write transaction, committed at the end. Inside `sharing`."""
        with self._writing:
            try:
                connection = self._current_writer()
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                except BaseException:
                    connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
            except sqlite3.DatabaseError as error:
                raise self._failed(error) from error

    def ensure(self) -> None:
        """Makes the index from the files where it is missing, damaged or of another version."""
        if self._usable():
            return
        with self._locks.hold(LOCK):
            # Another process may have been here first.
            if self._usable():
                return
            self._make()

    def checkpoint(self) -> None:
        """Brings a long write-ahead log into the index, while nobody else writes to it.

        Before SQLite 3.51.3 a checkpoint that meets another process's writing can lose it.
        """
        try:
            if os.stat(f"{self._path}-wal").st_size < _CHECKPOINT_BYTES:
                return
        except FileNotFoundError:
            return
        with self._locks.hold_if_free(LOCK) as free, self._writing:
            if free and self._inode() is not None:
                try:
                    self._current_writer().execute("PRAGMA wal_checkpoint(TRUNCATE)")
                except sqlite3.DatabaseError:
                    # The log only stays long; who reads or writes next meets what is wrong.
                    log.warning("index_not_checkpointed", exc_info=True)

    def close(self) -> None:
        """Closes every connection. The threads that have one must have ended."""
        with self._opening:
            for connection in self._open:
                connection.close()
            self._open.clear()
        self._writer = None
        self._threads = threading.local()

    def _usable(self) -> bool:
        inode = self._inode()
        if inode is None or inode == self._condemned:
            return False
        if self._writer is not None and self._writer.inode == inode:
            return True
        try:
            connection = sqlite3.connect(self._path, isolation_level=None)
            try:
                connection.execute("PRAGMA busy_timeout = 30000")
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                return bool(version == VERSION)
            finally:
                connection.close()
        except sqlite3.DatabaseError:
            return False

    def _make(self) -> None:
        fresh = self._path.with_name("index.new")
        for path in (self._path, fresh):
            for suffix in ("-wal", "-shm", "-journal") + (("",) if path is fresh else ()):
                Path(f"{path}{suffix}").unlink(missing_ok=True)
        connection = sqlite3.connect(fresh, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(_SCHEMA + TEXT_TABLES)
            connection.execute("BEGIN")
            self._rebuild(connection)
            connection.execute("COMMIT")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
        fresh.replace(self._path)

    def _inode(self) -> int | None:
        try:
            return os.stat(self._path).st_ino
        except FileNotFoundError:
            return None

    def _current_reader(self) -> sqlite3.Connection:
        known: _Connection | None = getattr(self._threads, "connection", None)
        inode = self._inode()
        if known is None or known.inode != inode or inode == self._condemned:
            self.ensure()
            known = self._threads.connection = self._connect()
        return known

    def _current_writer(self) -> sqlite3.Connection:
        inode = self._inode()
        if self._writer is None or self._writer.inode != inode:
            self._writer = self._connect()
        return self._writer

    def _connect(self) -> _Connection:
        connection = sqlite3.connect(
            self._path,
            isolation_level=None,
            check_same_thread=False,
            factory=_Connection,
            cached_statements=256,
        )
        connection.inode = os.stat(self._path).st_ino
        # The files are the truth, so nothing here needs to outlive a power cut.
        for pragma in (
            "busy_timeout = 30000",
            "journal_mode = WAL",
            "synchronous = OFF",
            "wal_autocheckpoint = 0",
            "cache_size = -8192",
            "mmap_size = 268435456",
        ):
            connection.execute(f"PRAGMA {pragma}")
        with self._opening:
            self._open.append(connection)
        return connection

    def _failed(self, error: sqlite3.DatabaseError) -> Exception:
        if is_full(error, self._path):
            return StoreUnavailable("the disk is full; make room and try again")
        if isinstance(error, sqlite3.OperationalError):
            return StoreUnavailable("the index of the store is busy or can't be written; try again")
        self._condemned = self._inode()
        return StoreUnavailable("the index of the store was damaged and is made anew; try again")


class _Connection(sqlite3.Connection):
    """A connection that knows which file it is on."""

    inode: int = 0
