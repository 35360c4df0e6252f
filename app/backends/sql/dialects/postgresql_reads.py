"""Reading PostgreSQL on the driver itself: a statement is one round trip and its rows."""

from __future__ import annotations

from typing import Any

import asyncpg
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from app.backends.sql.dialects.postgresql_connections import connections_of
from app.backends.sql.prepared import PreparedStatements, Query
from app.backends.sql.reads import Rows, announce

_ENDS = ("08", "57P")
"""States of a connection that is no more, or whose server stops."""


class PostgresqlReads:
    """Connections of asyncpg, opened when they are first needed; satisfies `Reads`."""

    def __init__(
        self,
        engine: AsyncEngine,
        url: URL,
        arguments: dict[str, Any],
        *,
        size: int,
        wait_seconds: float,
    ) -> None:
        """`url` and `arguments` are those of the engine, whose listeners learn of statements.

        At most `size` connections; one may wait `wait_seconds` for one to become free.
        """
        self._engine = engine.sync_engine
        self._statements = PreparedStatements(engine.dialect)
        self._connections = connections_of(
            self._engine, url, arguments, size=size, wait_seconds=wait_seconds
        )

    async def fetch(self, query: Query, *, long: bool = False) -> Rows:
        statement, parameters = query
        prepared = self._statements.get(statement)
        values = prepared.values(parameters)
        announce(self._engine, prepared.text, values)
        connections = self._connections
        connection = await connections.take()
        try:
            rows: Rows = (
                await _fetch_by_values(connection, prepared.text, values)
                if long
                else await connection.fetch(prepared.text, *values)
            )
        except BaseException as error:
            self._take_back(connection, error)
            raise
        connections.give(connection)
        return rows

    def _take_back(self, connection: asyncpg.Connection, error: BaseException) -> None:
        """Takes back a connection whose statement failed."""
        state = getattr(error, "sqlstate", None)
        if state is not None and not state.startswith(_ENDS):
            self._connections.give(connection)
            return
        self._connections.discard(connection)
        if isinstance(error, Exception):
            self._connections.forget_idle()

    async def close(self) -> None:
        """Waits for what is being read and closes the connections."""
        await self._connections.close()


async def _fetch_by_values(
    connection: asyncpg.Connection, text: str, values: tuple[Any, ...]
) -> Rows:
    """Fetches with a plan made for these values: how to search depends on what is searched for."""
    transaction = connection.transaction(readonly=True)
    await transaction.start()
    try:
        await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        rows: Rows = await connection.fetch(text, *values)
    except asyncpg.PostgresError:
        await transaction.rollback()
        raise
    # After any other exception the connection is given up: to roll back is to wait for the answer
    # to the statement that was given up, which may never come.
    await transaction.commit()
    return rows
