"""Opening a store in an SQLite file: looked at before anything is changed, then brought forward."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import DBAPIError

from app.backends.mounts import is_full, require_local, require_writable
from app.backends.protocol import Migrated
from app.backends.sql import migrations
from app.backends.sql.async_connections import DeferredConnections
from app.backends.sql.backend import SqlBackend
from app.backends.sql.dialects.gate import WriterGate
from app.backends.sql.dialects.sqlite import APPLICATION_ID, SqliteDialect
from app.backends.sql.dialects.sqlite_engines import (
    connect_reader,
    create_async_reader,
    create_async_writer,
    create_committer,
    create_reader,
)
from app.backends.sql.dialects.sqlite_reads import SqliteReads
from app.backends.sql.single_writer import SingleWriter
from app.model.errors import StoreUnavailable, StoreUnusable


async def open_sqlite(
    path: Path, *, migrate: bool, single_process: bool = False
) -> tuple[SqlBackend, Migrated]:
    """Opens the store in a file, creating it where it is missing.

    With `migrate`, its tables are brought to the newest version under the writer's gate. With
    `single_process` it may be on a network file system, and no other process of this machine that
    says so too can open it. Raises `StoreUnusable` for a file that is no store, can't be written,
    is of a newer version, or, without `migrate`, of an older one.
    """
    _check_path(path, migrate=migrate)
    require_local(path, single_process=single_process)
    reader, async_reader = create_reader(path), create_async_reader(path)
    async_writer = create_async_writer(path)
    writing = DeferredConnections(async_writer)
    gate = WriterGate(path.with_name(path.name + ".gate"))
    try:
        if single_process:
            gate.keep_alone(path.with_name(path.name + ".alone"))
        before = None
        if _holds_something(path):
            before = await asyncio.to_thread(_look, reader, path)
        if before != migrations.HEAD:
            _require_permission(path, before, migrate=migrate)
            async with gate.hold(), writing.begin() as connection:
                before = await connection.run_sync(_migrate, path)
    except BaseException as error:
        await asyncio.to_thread(reader.dispose)
        await writing.dispose()
        gate.close()
        if isinstance(error, DBAPIError):
            raise _unusable(path, error) from error
        if isinstance(error, StoreUnavailable):
            raise StoreUnusable(f"{path} can't be opened: {error.message}") from error
        raise
    gate.guard(path)
    dialect, committer = SqliteDialect(), create_committer(path)
    backend = SqlBackend(
        dialect,
        DeferredConnections(async_reader),
        SqliteReads(reader, partial(connect_reader, path)),
        SingleWriter(dialect, committer, writing, gate),
        engines=(async_reader, async_writer, committer, reader),
    )
    return backend, Migrated(before, migrations.HEAD)


def _check_path(path: Path, *, migrate: bool) -> None:
    if not migrate and not path.exists():
        raise StoreUnusable(f"there is no store at {path}")
    if not path.parent.is_dir():
        raise StoreUnusable(f"the folder {path.parent} does not exist: create it first")
    if path.is_dir():
        raise StoreUnusable(f"{path} is a folder; name a file in it, like {path / 'scrollback.db'}")
    require_writable(path)
    # SQLite keeps its log and we our lock in files beside.
    require_writable(path.parent)


def _holds_something(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _require_permission(path: Path, before: str | None, *, migrate: bool) -> None:
    if not migrate:
        raise StoreUnusable(
            f"the store {path} is of version {before or 'none'}, this program writes "
            f"{migrations.HEAD}: run `scrollback migrate`"
        )


def _look(reader: Engine, path: Path) -> str | None:
    with reader.connect() as connection:
        return _version(connection, path)


def _version(connection: Connection, path: Path) -> str | None:
    marked = connection.exec_driver_sql("PRAGMA application_id").scalar() == APPLICATION_ID
    if not marked:
        if inspect(connection).get_table_names():
            raise StoreUnusable(
                f"{path} is an SQLite database of something else; name another file"
            )
        return None
    version = migrations.current_version(connection)
    if version in (None, migrations.HEAD):
        return version
    if version not in migrations.known_versions():
        raise StoreUnusable(
            f"the store {path} is of version {version}, written by a newer Scrollback; "
            f"this one knows {migrations.HEAD}: upgrade Scrollback"
        )
    return version


def _migrate(connection: Connection, path: Path) -> str | None:
    # Looked at again behind the gate: another process may have been here first.
    before = _version(connection, path)
    migrations.upgrade(connection, transactional=SqliteDialect.transactional_ddl)
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    return before


def _unusable(path: Path, error: DBAPIError) -> StoreUnusable:
    cause = str(error.orig)
    if "not a database" in cause:
        return StoreUnusable(f"{path} is not an SQLite database; name another file")
    if "readonly" in cause or "unable to open" in cause:
        return StoreUnusable(f"{path} can't be opened for writing: check its permissions")
    if "locked" in cause:
        return StoreUnusable(f"{path} is locked by another program: stop it, or try again later")
    if is_full(error, path):
        return StoreUnusable(f"{path} can't be opened: its disk is full; make room and try again")
    if "malformed" in cause:
        return StoreUnusable(f"{path} is damaged: restore the newest backup ({cause})")
    return StoreUnusable(f"{path} can't be opened: {cause}")
