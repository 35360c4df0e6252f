"""asyncpg's connections, lent for one statement at a time.

Nothing that reads here leaves anything behind on a connection, so lending one takes nothing but a
list; asyncpg's own pool starts a task and takes two more turns of the event loop to take a
connection back, which is more than most statements cost.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

import asyncpg
from sqlalchemy import URL, Engine
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.model.errors import StoreUnavailable

_OURS = ("prepared_statement_cache_size", "prepared_statement_name_func", "async_fallback")
"""What SQLAlchemy keeps for itself of the arguments of a connection."""

_SETTINGS = {"plan_cache_mode": "force_generic_plan"}
"""Planning takes longer than what is planned for, and left to itself the server plans anew
wherever a plan for some values looks a little cheaper."""

DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises."""

_CLOSING_SECONDS = 5.0

_IDLE_SECONDS = 240.0
"""Firewalls forget a connection that says nothing for longer, and tell nobody."""


class Connections:
    """At most `size` connections, opened as they are needed and kept open.

    Who waits gets the next that is free, in turn. Of idle ones that used last is lent first.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        size: int,
        wait_seconds: float,
    ) -> None:
        """`wait_seconds`: how long one may wait for a connection to become free."""
        self._connect = connect
        self._size = size
        self._wait_seconds = wait_seconds
        self._idle: list[tuple[asyncpg.Connection, float]] = []
        self._lent = 0
        self._waiting: deque[asyncio.Future[asyncpg.Connection | None]] = deque()
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False
        self._returned = asyncio.Event()

    async def take(self) -> asyncpg.Connection:
        """Lends a connection, when there is one.

        Raises what connecting raises, and SQLAlchemy's TimeoutError after too long a wait.
        """
        if self._closed:
            raise StoreUnavailable("the store is closed")
        connection: asyncpg.Connection | None = None
        if self._lent < self._size:
            self._lent += 1
            connection = self._take_idle()
        else:
            connection = await self._next()
        if connection is not None and not connection.is_closed():
            return connection
        try:
            return await self._connect()
        except BaseException:
            self._pass_on(None)
            raise

    def give(self, connection: asyncpg.Connection) -> None:
        """Takes a connection back that is ready for the next statement."""
        if self._closed:
            self.discard(connection)
        else:
            self._pass_on(connection)

    def discard(self, connection: asyncpg.Connection) -> None:
        """Takes a connection back that is not to be used again, as its statement was given up."""
        self._close_soon(connection)
        self._pass_on(None)

    def forget_idle(self) -> None:
        """Closes the connections that nobody uses: where one broke, the others may have, too."""
        idle, self._idle = self._idle, []
        for connection, _ in idle:
            self._close_soon(connection)

    async def close(self) -> None:
        """Waits for what is lent or waited for, and closes all. Safe to call twice."""
        self._closed = True
        self.forget_idle()
        while self._lent:
            self._returned.clear()
            await self._returned.wait()
        if self._closing:
            await asyncio.wait(self._closing)

    def _take_idle(self) -> asyncpg.Connection | None:
        """Returns the connection that was given back last, unless that was too long ago."""
        while self._idle:
            connection, since = self._idle.pop()
            if monotonic() - since > _IDLE_SECONDS:
                self._close_soon(connection)
            elif not connection.is_closed():
                return connection
        return None

    async def _next(self) -> asyncpg.Connection | None:
        """Waits for a place; returns the connection that came with it, None where none did."""
        turn: asyncio.Future[asyncpg.Connection | None]
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._wait_seconds):
                return await turn
        except (asyncio.CancelledError, TimeoutError) as error:
            # The place may have come in the same moment; then somebody else gets it.
            if turn.done() and not turn.cancelled():
                self._pass_on(turn.result())
            if isinstance(error, TimeoutError):
                raise PoolTimeout("no connection became free in time") from error
            raise

    def _pass_on(self, connection: asyncpg.Connection | None) -> None:
        """Gives a place, and the connection in it, to who waits longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        self._lent -= 1
        self._returned.set()
        if connection is None:
            return
        if self._closed:
            self._close_soon(connection)
        else:
            self._idle.append((connection, monotonic()))

    def _close_soon(self, connection: asyncpg.Connection) -> None:
        if not connection.is_closed():
            closing = asyncio.get_running_loop().create_task(_close(connection))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


def connections_of(
    engine: Engine, url: URL, given: dict[str, Any], *, size: int, wait_seconds: float
) -> Connections:
    """Returns connections that connect as an engine does; each statement is planned once.

    `url` and `given` are the engine's, the rest as for `Connections`.
    """
    _, own = engine.dialect.create_connect_args(url)
    arguments = {name: value for name, value in own.items() if name not in _OURS} | given
    arguments["server_settings"] = {**given.get("server_settings", {}), **_SETTINGS}

    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(**arguments)

    return Connections(connect, size, wait_seconds)


async def _close(connection: asyncpg.Connection) -> None:
    try:
        await connection.close(timeout=_CLOSING_SECONDS)
    except (*DRIVER_ERRORS, OSError):
        connection.terminate()
