"""Running statements that read: each on one connection, its rows fetched whole."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from sqlalchemy import Engine

from app.backends.sql.prepared import PreparedStatements, Query

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

Rows: TypeAlias = list[Sequence[Any]]


class Reads(Protocol):
    """Connections that read. Nothing is read in a transaction that outlives its statement."""

    def fetch(self, query: Query, *, long: bool = False) -> Awaitable[Rows]:
        """Returns all rows of a statement; `long` says that it may take its time.

        Raises the errors of the database and its driver.
        """
        ...

    async def close(self) -> None:
        """Lets go of the connections. Safe to call twice."""
        ...


class EngineReads:
    """Reading through SQLAlchemy's own pool; satisfies `Reads`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._statements = PreparedStatements(engine.dialect)

    async def fetch(self, query: Query, *, long: bool = False) -> Rows:
        statement, parameters = query
        prepared = self._statements.get(statement)
        async with self._engine.connect() as connection:
            result = await connection.exec_driver_sql(prepared.text, prepared.values(parameters))
            return list(result.all())

    async def close(self) -> None:
        """The engine is whose it was."""


def announce(engine: Engine, text: str, values: Sequence[Any] | Mapping[str, Any]) -> None:
    """Tells those who listen to an engine's statements of one that its driver ran directly."""
    for listener in engine.dispatch.before_cursor_execute:
        listener(None, None, text, values, None, False)
