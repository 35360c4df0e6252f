"""What databases that run as a server of their own have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import URL, Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.backends.sql.dialects.dialect import Dialect
from app.backends.sql.reads import EngineReads, Reads
from app.model.errors import StoreUnusable

CONNECT_SECONDS = 10
"""How long to wait for a server to answer."""

LOCK_SECONDS = 10
"""How long a writer waits for another one of the same session."""

MIGRATION_SECONDS = 120
"""How long to wait for another process that is migrating."""

READERS = 8
WRITERS = 8


def show(url: URL) -> str:
    """Returns a URL as it may be shown: without user and password."""
    return f"{url.get_backend_name()}://{url.host or 'localhost'}/{url.database}"


class ServerDialect(Dialect):
    """A database server, reached by URL through connections of two pools."""

    @abstractmethod
    def driver_url(self, url: URL) -> URL:
        """Returns the URL with our driver. Raises `StoreUnusable` for options it does not know."""

    @abstractmethod
    def driver_arguments(self, url: URL) -> dict[str, Any]:
        """Returns what is given to the driver with each connection."""

    @abstractmethod
    def prepare(self, engine: AsyncEngine) -> None:
        """Sets what each new connection needs."""

    @abstractmethod
    def require_version(self, connection: Connection) -> None:
        """Raises `StoreUnusable` for a server that is too old."""

    @abstractmethod
    def refusal(self, error: Exception, url: URL) -> StoreUnusable:
        """Returns why a store can't be opened, and what to do about it."""

    def create_reader(self, url: URL) -> AsyncEngine:
        """Returns an engine whose statements each see one consistent state."""
        return self._create_engine(
            url,
            pool_size=READERS,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
        )

    def create_reads(self, engine: AsyncEngine, url: URL) -> Reads:
        """Returns what runs the reading statements, as many at a time as the reader's pool."""
        return EngineReads(engine)

    def create_writer(self, url: URL) -> AsyncEngine:
        """Returns an engine whose statements see what was committed while they waited for a lock.

        In a snapshot of the whole transaction (MySQL's default) a writer that waited for a
        session would go on with the messages of before.
        """
        return self._create_engine(
            url,
            pool_size=WRITERS,
            isolation_level="READ COMMITTED",
            # A transaction that was not committed is rolled back when its connection is closed;
            # the pool would send MySQL another ROLLBACK after each COMMIT.
            pool_reset_on_return=None,
        )

    def _create_engine(self, url: URL, **options: Any) -> AsyncEngine:
        engine = create_async_engine(
            self.driver_url(url),
            # What was said belongs neither into a log nor into an error.
            hide_parameters=True,
            max_overflow=0,
            pool_timeout=30,
            connect_args=self.driver_arguments(url),
            **options,
        )
        self.prepare(engine)
        return engine

    @asynccontextmanager
    async def snapshot(self, connection: AsyncConnection) -> AsyncIterator[None]:
        level = "REPEATABLE READ"
        sync = connection.sync_connection
        if sync is None or sync.get_execution_options().get("isolation_level") != level:
            await connection.execution_options(isolation_level=level)
        async with connection.begin():
            yield
