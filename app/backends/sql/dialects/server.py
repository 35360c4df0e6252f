"""What databases that run as a server of their own have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import URL, Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.backends.sql.appends import Appends
from app.backends.sql.dialects.dialect import Dialect, Failure
from app.backends.sql.dialects.server_options import ServerOptions, options_of
from app.backends.sql.reads import EngineReads, Reads
from app.model.errors import StoreUnusable

MIGRATION_SECONDS = 120
"""How long to wait for another process that is migrating."""

_REFUSALS = {
    Failure.DISCONNECTED: "can't be reached: is the server running there?",
    Failure.BUSY: "is busy, or has no connection left: try again later",
    Failure.FULL: "has no room left on its disk: make some, and try again",
    Failure.READ_ONLY: "is read-only: make it writable, or name the server that takes writes",
}


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
        """Returns what is given to the driver with each connection. Raises as `driver_url`."""

    @abstractmethod
    def prepare(self, engine: AsyncEngine, options: ServerOptions) -> None:
        """Sets what each new connection needs."""

    @abstractmethod
    def require_version(self, connection: Connection) -> None:
        """Raises `StoreUnusable` for a server that is too old."""

    @abstractmethod
    def refusal(self, error: Exception, url: URL) -> StoreUnusable:
        """Returns why a store can't be opened, and what to do about it."""

    def refuse(self, error: Exception, url: URL, said: str) -> StoreUnusable:
        """Returns the refusal that does not depend on the server; `said` is its own code."""
        why = _REFUSALS.get(self.failure(error), f"can't be opened ({said})")
        return StoreUnusable(f"{show(url)} {why}")

    def create_reader(self, url: URL) -> AsyncEngine:
        """Returns an engine whose statements each see one consistent state."""
        return self._create_engine(
            url,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
        )

    def create_reads(self, engine: AsyncEngine, url: URL) -> Reads:
        """Returns what runs the reading statements, as many at a time as the reader's pool."""
        return EngineReads(engine)

    def create_appends(self, engine: AsyncEngine, url: URL, *, size: int) -> Appends | None:
        """Returns what appends in one statement, at most `size` at a time, where there is that.

        `engine` is the writer's.
        """
        return None

    def create_writer(self, url: URL) -> AsyncEngine:
        """Returns an engine whose statements see what was committed while they waited for a lock.

        In a snapshot of the whole transaction (MySQL's default) a writer that waited for a
        session would go on with the messages of before.
        """
        return self._create_engine(
            url,
            isolation_level="READ COMMITTED",
            # A transaction that was not committed is rolled back when its connection is closed;
            # the pool would send MySQL another ROLLBACK after each COMMIT.
            pool_reset_on_return=None,
        )

    def _create_engine(self, url: URL, **options: Any) -> AsyncEngine:
        asked = options_of(url)
        engine = create_async_engine(
            self.driver_url(url),
            # What was said belongs neither into a log nor into an error.
            hide_parameters=True,
            pool_size=asked.pool,
            max_overflow=0,
            pool_timeout=asked.pool_timeout,
            connect_args=self.driver_arguments(url),
            **options,
        )
        self.prepare(engine, asked)
        return engine

    @asynccontextmanager
    async def snapshot(self, connection: AsyncConnection) -> AsyncIterator[None]:
        level = "REPEATABLE READ"
        sync = connection.sync_connection
        if sync is None or sync.get_execution_options().get("isolation_level") != level:
            await connection.execution_options(isolation_level=level)
        async with connection.begin():
            yield
