"""Opening a store on a database server: looked at before anything is changed, then brought on."""

from __future__ import annotations

from sqlalchemy import URL, Connection, func, inspect, make_url, select
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.backends.protocol import Migrated
from app.backends.sql import migrations
from app.backends.sql.backend import SqlBackend
from app.backends.sql.dialects.dialect import DATABASE_ERRORS
from app.backends.sql.dialects.server import ServerDialect, show
from app.backends.sql.dialects.server_options import options_of
from app.backends.sql.pooled_writer import SHARED, PooledWriter
from app.backends.sql.tables import metadata
from app.model.errors import StoreUnusable


def parse_server_url(url: str) -> URL:
    """Returns the parts of a URL such as `postgresql://user:password@host:5432/database`.

    Raises `StoreUnusable`, which does not repeat the URL: it may hold a password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or not parsed.database:
        raise StoreUnusable(
            "the store's URL names no database: write it as scheme://user:password@host:port/"
            "database, with what is special in a password percent-encoded"
        )
    return parsed


async def open_server(
    dialect: ServerDialect, url: URL, *, migrate: bool
) -> tuple[SqlBackend, Migrated]:
    """Opens the store in a database, which must exist and be empty or a store.

    With `migrate`, its tables are brought to the newest version under a lock. Raises
    `StoreUnusable` for a database that can't be reached, is of something else, of a newer
    version, or, without `migrate`, of an older one.
    """
    reader, writer = dialect.create_reader(url), dialect.create_writer(url)
    try:
        before = await _bring_on(dialect, writer, show(url), migrate=migrate)
    except BaseException as error:
        await reader.dispose()
        await writer.dispose()
        if isinstance(error, DATABASE_ERRORS):
            raise dialect.refusal(error, url) from error
        raise
    backend = SqlBackend(
        dialect,
        reader,
        dialect.create_reads(reader, url),
        PooledWriter(
            dialect,
            writer,
            connections=options_of(url).pool,
            appends=dialect.create_appends(writer, url, size=SHARED),
        ),
        engines=(reader.sync_engine, writer.sync_engine),
    )
    return backend, Migrated(before, migrations.HEAD)


async def _bring_on(
    dialect: ServerDialect, writer: AsyncEngine, place: str, *, migrate: bool
) -> str | None:
    async with writer.begin() as connection:
        await connection.run_sync(dialect.require_version)
        before = await connection.run_sync(_version, place)
    if before == migrations.HEAD:
        return before
    if not migrate:
        raise StoreUnusable(
            f"the store {place} is of version {before or 'none'}, this program writes "
            f"{migrations.HEAD}: run `scrollback migrate`"
        )
    async with writer.begin() as connection:
        return await connection.run_sync(_migrate, dialect, place)


def _version(connection: Connection, place: str) -> str | None:
    tables = set(inspect(connection).get_table_names())
    ours = set(metadata.tables)
    version = migrations.current_version(connection) if migrations.VERSION_TABLE in tables else None
    if version is None:
        foreign = tables - ours - {migrations.VERSION_TABLE}
    else:
        foreign = set() if ours & tables else {migrations.VERSION_TABLE}
    if foreign:
        named = ", ".join(sorted(foreign)[:3])
        raise StoreUnusable(
            f"{place} holds tables of something else ({named}): name a database for the store alone"
        )
    if version not in (None, migrations.HEAD) and version not in migrations.known_versions():
        raise StoreUnusable(
            f"the store {place} is of version {version}, written by a newer Scrollback; "
            f"this one knows {migrations.HEAD}: upgrade Scrollback"
        )
    return version


def _migrate(connection: Connection, dialect: ServerDialect, place: str) -> str | None:
    with dialect.migrating(connection):
        # Looked at again behind the lock: another process may have been here first.
        before = _version(connection, place)
        if before is None:
            _remove_half_made(connection, place)
        migrations.upgrade(connection, transactional=dialect.transactional_ddl)
    return before


def _remove_half_made(connection: Connection, place: str) -> None:
    """Drops what a first migration left that broke off, where the database can't undo it."""
    present = set(inspect(connection).get_table_names())
    left = [table for table in metadata.sorted_tables if table.name in present]
    for table in left:
        if connection.scalar(select(func.count()).select_from(table)):
            raise StoreUnusable(
                f"{place} has a table {table.name} with rows and no version: it is no store; "
                "name a database for the store alone"
            )
    metadata.drop_all(connection, left)
