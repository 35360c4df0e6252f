"""Reading PostgreSQL on the driver itself: a statement is one round trip and its rows."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from app.backends.sql.prepared import PreparedStatements, Query
from app.backends.sql.reads import Rows, announce

_OURS = ("prepared_statement_cache_size", "prepared_statement_name_func", "async_fallback")
"""What SQLAlchemy keeps for itself of the arguments of a connection."""


_SETTINGS = {"plan_cache_mode": "force_generic_plan"}
"""Planning a page takes longer than reading it, and left to itself the server plans anew for each
request wherever a plan for some values looks a little cheaper."""


class PostgresqlReads:
    """A pool of asyncpg's connections, opened when it is first asked; satisfies `Reads`."""

    def __init__(self, engine: AsyncEngine, url: URL, arguments: dict[str, Any], size: int) -> None:
        """`url` and `arguments` are those of the engine, whose listeners learn of statements."""
        self._engine = engine.sync_engine
        self._statements = PreparedStatements(engine.dialect)
        _, given = engine.dialect.create_connect_args(url)
        self._arguments = {name: value for name, value in given.items() if name not in _OURS}
        self._arguments |= arguments
        settings = {**arguments.get("server_settings", {}), **_SETTINGS}
        self._arguments["server_settings"] = settings
        self._size = size
        self._opening = asyncio.Lock()
        self._pool: asyncpg.Pool | None = None

    async def fetch(self, query: Query, *, long: bool = False) -> Rows:
        statement, parameters = query
        prepared = self._statements.get(statement)
        values = prepared.values(parameters)
        announce(self._engine, prepared.text, values)
        pool = self._pool or await self._open()
        if long:
            return await _fetch_by_values(pool, prepared.text, values)
        rows: Rows = await pool.fetch(prepared.text, *values)
        return rows

    async def close(self) -> None:
        """Waits for what is being read and closes the connections."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def _open(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    min_size=0, max_size=self._size, reset=_leave, **self._arguments
                )
            return self._pool


async def _fetch_by_values(pool: asyncpg.Pool, text: str, values: tuple[Any, ...]) -> Rows:
    """Fetches with a plan made for these values: how to search depends on what is searched for."""
    async with pool.acquire() as connection, connection.transaction(readonly=True):
        await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        rows: Rows = await connection.fetch(text, *values)
        return rows


async def _leave(_connection: object) -> None:
    """Leaves a connection as it is: nothing that reads here sets or locks anything."""
