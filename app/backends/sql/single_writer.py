"""The one writer of an SQLite store: group commit, retries, and what a failure means.

Commits that arrive while a transaction is on its way to the disk wait together and share the
next one. A commit is answered after its transaction is durable.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from app.backends.protocol import Scope
from app.backends.sql.async_connections import AsyncConnections
from app.backends.sql.dialects.dialect import Failure
from app.backends.sql.dialects.gate import WriterGate
from app.backends.sql.dialects.sqlite import SqliteDialect
from app.backends.sql.group import carry_out_group
from app.backends.sql.known_sessions import KnownSessions
from app.backends.sql.together import Outcome, Work
from app.backends.sql.writer import GROUP_SIZE, TRIES, Job, answer, fail, next_group, work_of
from app.model.changes import Commit
from app.model.errors import StoreUnavailable, UnknownOutcome

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")

_QUIET_TURNS = 2
"""Turns of the event loop without another commit: in so many a request that has come in is read
and has come to its commit."""

log = logging.getLogger(__name__)


class SingleWriter:
    """Writes behind a gate that one process at a time holds; satisfies `Writer`."""

    def __init__(
        self,
        dialect: SqliteDialect,
        committing: Engine,
        writing: AsyncConnections,
        gate: WriterGate,
    ) -> None:
        """`committing` is used from the writer's own thread, `writing` for long transactions."""
        self._dialect = dialect
        self._committing = committing
        self._writing = writing
        self._gate = gate
        self._connection: Connection | None = None
        self._known = KnownSessions()
        self._version: object = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scrollback-commit")
        self._waiting: deque[Job] = deque()
        self._turn = asyncio.Lock()
        self._working: asyncio.Task[None] | None = None
        self._closed = False

    def commit(self, commits: Sequence[Commit], scope: Scope) -> asyncio.Future[list[Outcome]]:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        done: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        if not commits:
            done.set_result([])
            return done
        self._waiting.append(Job(commits, scope, done))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work(), name="scrollback-writer")
        # Awaited as it is: a coroutine around it would cost as much as making the job.
        return done

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        async with self._turn, self._gate.hold():
            try:
                async with self._writing.begin() as connection:
                    yield connection
            except DBAPIError as error:
                raise self._dialect.explain(error) from error

    def check(self) -> None:
        self._gate.check()

    async def close(self) -> None:
        """Finishes what was asked for and closes the connection, under the gate.

        Closing the last connection checkpoints, which must not meet another process's writing.
        """
        if self._closed:
            return
        self._closed = True
        if self._working is not None:
            await self._working
        async with self._turn, self._gate.hold(closing=True):
            await self._writing.dispose()
            await self._in_thread(self._close_connections)
        self._thread.shutdown()
        self._gate.close()

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, work, *arguments)

    async def _work(self) -> None:
        while self._waiting:
            async with self._turn:
                await self._gather()
                group = next_group(self._waiting)
                try:
                    outcomes = await self._write(work_of(group))
                except Exception as error:  # noqa: BLE001 - handed to everyone who waits for it
                    fail(group, error)
                else:
                    answer(group, outcomes)

    async def _gather(self) -> None:
        """Waits for what is about to come: requests that the event loop has in hand already.

        A transaction costs what some thirty commits in it cost. Nobody is waited for by time.
        """
        known, quiet = 0, 0
        while quiet < _QUIET_TURNS and len(self._waiting) < GROUP_SIZE:
            quiet = 0 if len(self._waiting) > known else quiet + 1
            known = len(self._waiting)
            await asyncio.sleep(0)

    async def _write(self, work: list[Work]) -> list[Outcome]:
        async with self._gate.hold():
            for attempt in range(1, TRIES + 1):
                try:
                    return await self._in_thread(self._commit_group, work)
                except DBAPIError as error:
                    busy = self._dialect.failure(error) is Failure.BUSY
                    if not busy or attempt == TRIES:
                        raise self._dialect.explain(error) from error
                    await asyncio.sleep(0.01 * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311
        raise AssertionError("the loop above answers or raises")

    def _commit_group(self, work: list[Work]) -> list[Outcome]:
        # Kept: to take a connection and give it back costs as much as a small transaction.
        if self._connection is None:
            self._connection = self._committing.connect()
        try:
            return self._commit_on(self._connection, work)
        except BaseException:
            self._let_go()
            raise

    def _commit_on(self, connection: Connection, work: list[Work]) -> list[Outcome]:
        # In a transaction nobody else writes: whether somebody has since the last one is all
        # that there is to know.
        version = self._dialect.version(connection)
        if version != self._version:
            self._known.clear()
            self._version = version
        outcomes = carry_out_group(self._dialect, connection, work, self._known)
        try:
            connection.commit()
        except DBAPIError as error:
            # What SQLite refuses for want of room is not in its log, nor will it be.
            if self._dialect.failure(error) in (Failure.BUSY, Failure.FULL):
                raise
            log.exception("commit_failed")
            raise UnknownOutcome(
                "the store failed while it was making the change durable; "
                "retry with the same idempotency key"
            ) from error
        self._known.settle()
        return outcomes

    def _let_go(self) -> None:
        """Gives the connection back, which takes back what was not committed on it."""
        self._known.clear()
        self._version = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _close_connections(self) -> None:
        self._let_go()
        self._committing.dispose()
