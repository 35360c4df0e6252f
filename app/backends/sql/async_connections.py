"""Connections for what goes on over several statements and waits between them.

SQLAlchemy's asyncio package brings its ORM along. That is seven megabytes which a server over
SQLite can do without: its pages and commits run on the driver and on a thread's plain connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Engine

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


class AsyncConnections(Protocol):
    """What is needed of an `AsyncEngine`."""

    def connect(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Gives a connection inside the block. Raises the errors of the database."""
        ...

    def begin(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Gives a connection in a transaction, which is committed at the end of the block."""
        ...

    async def dispose(self) -> None:
        """Closes the connections."""
        ...


class DeferredConnections:
    """Connections whose asyncio package is imported when one is first asked for."""

    def __init__(self, engine: Engine) -> None:
        """Takes an engine with an asynchronous driver."""
        self._engine = engine
        self._made: AsyncEngine | None = None

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        async with (await self._make()).connect() as connection:
            yield connection

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        async with (await self._make()).begin() as connection:
            yield connection

    async def dispose(self) -> None:
        if self._made is not None:
            await self._made.dispose()

    async def _make(self) -> AsyncEngine:
        if self._made is None:
            # The import takes a tenth of a second, for which the event loop must not stand still.
            self._made = await asyncio.to_thread(_asynchronous, self._engine)
        return self._made


def _asynchronous(engine: Engine) -> AsyncEngine:
    from sqlalchemy.ext.asyncio import AsyncEngine

    return AsyncEngine(engine)
