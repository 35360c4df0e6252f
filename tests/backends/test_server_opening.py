"""Opening a store on a server: what is made, what is refused, and that no password is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import URL, Connection, Engine, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.backends.open import migrate_store, open_backend
from app.backends.protocol import Severity
from app.backends.sql import migrations
from app.backends.sql.backend import SqlBackend
from app.backends.sql.dialects.server_search import search_metadata
from app.backends.sql.tables import metadata
from app.model.errors import StoreUnusable
from tests.backends.conftest import create
from tests.databases import DatabaseServer

SECRET = "s3cret"  # noqa: S105 - that of nobody


@pytest.fixture
async def url(server: DatabaseServer) -> AsyncIterator[URL]:
    """The URL of a database that nothing is in, not even tables."""
    yield make_url(await server.fresh("opening"))
    await server.forget("opening")


def shown(url: URL) -> str:
    return url.render_as_string(hide_password=False)


async def opened(url: URL) -> SqlBackend:
    backend = await open_backend(shown(url))
    assert isinstance(backend, SqlBackend)
    return backend


async def run(engine: Engine, *statements: str) -> None:
    connection: AsyncConnection
    async with AsyncEngine(engine).begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def test_the_migrations_make_the_tables_that_the_program_uses(url: URL) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, [metadata, search_metadata]))

    store = await opened(url)
    async with AsyncEngine(store.engines[0]).connect() as connection:
        assert await connection.run_sync(differences) == []
    await store.close()


async def test_migrating_says_what_there_was_and_is(url: URL) -> None:
    with pytest.raises(StoreUnusable, match="scrollback migrate"):
        await open_backend(shown(url), migrate=False)
    first, second = await migrate_store(shown(url)), await migrate_store(shown(url))
    assert first is not None
    assert second is not None
    assert (first.before, first.after) == (None, migrations.HEAD)
    assert (second.before, second.after) == (migrations.HEAD, migrations.HEAD)


async def test_many_may_open_a_new_store_at_once(url: URL) -> None:
    stores = await asyncio.gather(*(opened(url) for _ in range(4)))
    await create(stores[0], "hello")
    for store in stores:
        assert [one async for one in store.check() if one.severity is Severity.ERROR] == []
        await store.close()


async def test_a_store_of_a_newer_version_is_refused(url: URL) -> None:
    store = await opened(url)
    await run(store.engines[1], "UPDATE alembic_version SET version_num = '9999'")
    await store.close()
    with pytest.raises(StoreUnusable, match=r"9999.*newer Scrollback.*upgrade"):
        await open_backend(shown(url))


async def test_a_database_of_something_else_is_refused_and_left_alone(
    url: URL, server: DatabaseServer
) -> None:
    await server.execute_in(url, "CREATE TABLE recipes (name INT)")
    with pytest.raises(StoreUnusable, match=r"something else \(recipes\)"):
        await open_backend(shown(url))
    assert await server.tables_of(url) == {"recipes"}


async def test_a_first_migration_that_broke_off_is_begun_anew(
    url: URL, server: DatabaseServer
) -> None:
    await server.execute_in(url, "CREATE TABLE agents (id INT)")
    store = await opened(url)
    await create(store, "hello")
    assert [one async for one in store.check() if one.severity is Severity.ERROR] == []
    await store.close()


async def test_a_table_of_our_name_with_rows_is_not_taken_for_a_broken_migration(
    url: URL, server: DatabaseServer
) -> None:
    await server.execute_in(url, "CREATE TABLE users (id INT)")
    await server.execute_in(url, "INSERT INTO users VALUES (1)")
    with pytest.raises(StoreUnusable, match="table users with rows"):
        await open_backend(shown(url))
    assert await server.tables_of(url) == {"users"}


async def test_a_missing_database_is_named(url: URL) -> None:
    with pytest.raises(StoreUnusable, match=r"/nowhere: there is no such database; create it"):
        await open_backend(shown(url.set(database="nowhere")))


async def test_a_server_that_is_not_there_is_named_without_the_password(url: URL) -> None:
    closed = url.set(username="ana", host="127.0.0.1", port=9).set(password=SECRET)
    with pytest.raises(StoreUnusable, match="can't be reached") as refused:
        await open_backend(shown(closed))
    assert SECRET not in str(refused.value)
    assert "127.0.0.1" in str(refused.value)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql", "mariadb"])
@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("://ana:s3cret@127.0.0.1", "names no database"),
        ("://ana:s3cret@127.0.0.1:port/db", "names no database"),
        ("://ana:s3cret@127.0.0.1/db?charset=latin1", "can't be asked for charset"),
    ],
)
async def test_a_url_that_names_no_store_is_refused_without_the_password(
    scheme: str, rest: str, message: str
) -> None:
    with pytest.raises(StoreUnusable, match=message) as refused:
        await open_backend(scheme + rest)
    assert SECRET not in str(refused.value)
