"""Reading SQLite on the driver itself, in threads of its own.

A statement is one hop to a thread, and those that wait at the same time share the way there and
back: SQLAlchemy's asynchronous execution takes several hops for each. One thread reads faster
than several, which would take turns at the interpreter's lock row by row.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeAlias

from sqlalchemy import Engine

from app.backends.sql.prepared import PreparedStatements, Query
from app.backends.sql.reads import Rows, announce

Connect: TypeAlias = Callable[[], sqlite3.Connection]

_TOGETHER = 8
"""Answers that are handed over at the latest, while others still wait for theirs."""

_Waiting: TypeAlias = "tuple[str, tuple[object, ...], asyncio.Future[Rows]]"


class SqliteReads:
    """Two threads that only read, one for what may take long; satisfies `Reads`."""

    def __init__(self, engine: Engine, connect: Connect) -> None:
        """`connect` is called in each thread; listeners of `engine` learn of the statements.

        The engine is disposed of at the end.
        """
        self._engine = engine
        self._statements = PreparedStatements(engine.dialect)
        self._short = _ReadingThread(connect)
        self._long = _ReadingThread(connect, interruptible=True)

    def fetch(self, query: Query, *, long: bool = False) -> asyncio.Future[Rows]:
        statement, parameters = query
        prepared = self._statements.get(statement)
        values = prepared.values(parameters)
        announce(self._engine, prepared.text, values)
        return (self._long if long else self._short).fetch(prepared.text, values)

    async def close(self) -> None:
        """Answers what was asked for and ends the threads."""
        await self._short.close()
        await self._long.close()
        await asyncio.to_thread(self._engine.dispose)


class _ReadingThread:
    """A thread with a connection, started when it is first asked."""

    def __init__(self, connect: Connect, *, interruptible: bool = False) -> None:
        """`interruptible`: a statement whose rows nobody waits for any more is broken off."""
        self._connect = connect
        self._interruptible = interruptible
        self._asked: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._answered: deque[tuple[asyncio.Future[Rows], Rows | Exception]] = deque()
        self._delivering = False
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._running: asyncio.Future[Rows] | None = None
        self._thread: threading.Thread | None = None

    def fetch(self, text: str, values: tuple[object, ...]) -> asyncio.Future[Rows]:
        loop = asyncio.get_running_loop()
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._read, args=(loop,), name="scrollback-read", daemon=True
            )
            self._thread.start()
        future: asyncio.Future[Rows] = loop.create_future()
        if self._interruptible:
            future.add_done_callback(self._interrupt)
        self._asked.put((text, values, future))
        return future

    async def close(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            self._asked.put(None)
            await asyncio.get_running_loop().run_in_executor(None, thread.join)

    def _interrupt(self, future: asyncio.Future[Rows]) -> None:
        # Under the lock no other statement begins, which would be broken off in its place.
        with self._lock:
            if self._running is future and self._connection is not None:
                self._connection.interrupt()

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while (waiting := self._asked.get()) is not None:
                self._answer(*waiting)
                # Waking the event loop earlier would have both threads take turns at the
                # interpreter's lock, row by row: a third of a request's time.
                if self._asked.empty() or len(self._answered) >= _TOGETHER:
                    self._wake(loop)
        finally:
            self._wake(loop)
            if self._connection is not None:
                self._connection.close()

    def _answer(self, text: str, values: tuple[object, ...], future: asyncio.Future[Rows]) -> None:
        with self._lock:
            if future.cancelled():
                return
            self._running = future
        answer: Rows | Exception
        try:
            if self._connection is None:
                self._connection = self._connect()
            answer = self._connection.execute(text, values).fetchall()
        except Exception as error:  # noqa: BLE001 - raised where the rows are awaited
            answer = error
        with self._lock:
            self._running = None
            self._answered.append((future, answer))

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            wake = bool(self._answered) and not self._delivering
            self._delivering = self._delivering or wake
        if wake:
            loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        with self._lock:
            answered, self._answered = self._answered, deque()
            self._delivering = False
        for future, answer in answered:
            if future.done():
                continue  # cancelled
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
