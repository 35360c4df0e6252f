"""The writer of a store on a database server: a lane for each session, lanes side by side.

Commits of one session that arrive while its transaction is under way wait together and share the
next one; those of different sessions meet only in the database. A transaction is tried again only
where nothing of it was done.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog
from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.backends.protocol import Scope
from app.backends.sql.dialects.dialect import DATABASE_ERRORS, Dialect, Failure, explain
from app.backends.sql.group import Outcome, Work, carry_out_group
from app.backends.sql.idempotency import used_keys
from app.backends.sql.tables import sessions
from app.backends.sql.writer import TRIES, Job, answer, fail, next_group, work_of
from app.model.changes import Commit, Committed
from app.model.errors import StoreUnavailable, UnknownOutcome

_AGAIN = (Failure.BUSY, Failure.CONTRADICTED, Failure.DISCONNECTED)
"""Failures after which the same transaction may succeed."""

log = structlog.get_logger(__name__)


class _NothingDone(Exception):
    """A transaction failed, and it is certain that nothing of it is in the store."""

    def __init__(self, failure: Failure, cause: Exception | None = None) -> None:
        super().__init__(failure)
        self.failure = failure
        self.cause = cause


class PooledWriter:
    """Writes over the connections of a pool; satisfies `Writer`."""

    def __init__(self, dialect: Dialect, engine: AsyncEngine) -> None:
        self._dialect = dialect
        self._engine = engine
        self._lanes: dict[object, deque[Job]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def commit(self, commits: Sequence[Commit], scope: Scope) -> list[Outcome]:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if not commits:
            return []
        job = Job(commits, scope, asyncio.get_running_loop().create_future())
        mine = {commit.session_id for commit in commits}
        # Commits of several sessions keep their order by a lane of their own.
        name: object = mine.pop() if len(mine) == 1 else job.done
        lane = self._lanes.get(name)
        if lane is None:
            self._lanes[name] = deque([job])
            task = asyncio.create_task(self._work(name), name="scrollback-writer")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            lane.append(job)
        return await job.done

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        ended = False
        try:
            async with self._engine.connect() as connection:
                await connection.begin()
                yield connection
                ended = True
                await connection.commit()
        except SQLAlchemyError as error:
            failure = self._dialect.failure(error)
            if ended and failure is Failure.DISCONNECTED:
                raise _unknown() from error
            raise self._dialect.explain(error) from error

    def check(self) -> None:
        """Knows of nothing: the server tells when it is asked."""

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await asyncio.gather(*self._tasks)
        await self._engine.dispose()

    async def _work(self, name: object) -> None:
        lane = self._lanes[name]
        try:
            while lane:
                group = next_group(lane)
                try:
                    outcomes = await self._write(work_of(group))
                except Exception as error:  # noqa: BLE001 - handed to everyone who waits for it
                    fail(group, error)
                else:
                    answer(group, outcomes)
        finally:
            del self._lanes[name]

    async def _write(self, work: list[Work]) -> list[Outcome]:
        for attempt in range(1, TRIES + 1):
            try:
                return await self._transact(work)
            except _NothingDone as error:
                if error.failure not in _AGAIN or attempt == TRIES:
                    refusal = explain(error.failure)
                    if error.cause is not None:
                        refusal = self._dialect.explain(error.cause)
                    raise refusal from error
            await _pause(attempt)
        raise AssertionError("the loop above answers or raises")

    async def _transact(self, work: list[Work]) -> list[Outcome]:
        outcomes, durable = None, False
        try:
            async with self._engine.connect() as connection:
                outcomes = await connection.run_sync(self._carry_out, work)
                await connection.commit()
                durable = True
        except DATABASE_ERRORS as error:
            if outcomes is not None and durable:
                return outcomes
            failure = self._dialect.failure(error)
            if outcomes is None or failure is Failure.BUSY:
                raise _NothingDone(failure, error) from error
            log.warning("commit_interrupted", failure=failure.name, commits=len(work))
            return await self._resolve(work, outcomes)
        return outcomes

    def _carry_out(self, connection: Connection, work: list[Work]) -> list[Outcome]:
        mine = sorted({commit.session_id for commit, _ in work})
        if len(mine) > 1:
            # In one order for everybody: by turns, two writers would wait for each other.
            named = select(sessions.c.id).where(sessions.c.id.in_(mine)).order_by(sessions.c.id)
            connection.execute(named.with_for_update()).all()
        return carry_out_group(self._dialect, connection, work)

    async def _resolve(self, work: list[Work], outcomes: list[Outcome]) -> list[Outcome]:
        """Finds out what became of a transaction whose COMMIT was not answered.

        A transaction happens whole or not at all, so one of its idempotency keys tells for all of
        it. Raises `_NothingDone`, or `UnknownOutcome` where there is no telling.
        """
        changed = [
            commit
            for (commit, _), outcome in zip(work, outcomes, strict=True)
            if isinstance(outcome, Committed) and not outcome.replayed and not outcome.existing
        ]
        if not changed:
            return outcomes
        keyed = next((commit for commit in changed if commit.idempotency is not None), None)
        if keyed is None:
            raise _unknown()
        for attempt in range(1, TRIES + 1):
            await _pause(attempt)
            try:
                async with self._engine.connect() as connection:
                    happened = await connection.run_sync(_has_happened, keyed)
            except DATABASE_ERRORS as error:
                log.warning("outcome_not_found_yet", failure=self._dialect.failure(error).name)
                continue
            if happened:
                return outcomes
            if happened is False or all(commit.idempotency is not None for commit in changed):
                raise _NothingDone(Failure.DISCONNECTED)
            break
        raise _unknown()


def _has_happened(connection: Connection, commit: Commit) -> bool | None:
    """Answers whether a commit with a key is in the store; None where it may still get there.

    Who has the session's lock knows that the transaction which had it before is over. A session
    that is not there can't be locked: its creation may still be on its way.
    """
    locked = connection.execute(
        select(sessions.c.id).where(sessions.c.id == commit.session_id).with_for_update()
    ).first()
    key = commit.idempotency.key if commit.idempotency is not None else ""
    if used_keys(connection, commit.session_id, {key}):
        return True
    return None if locked is None else False


def _unknown() -> UnknownOutcome:
    return UnknownOutcome(
        "the connection to the database broke while it was making the change durable; "
        "retry with the same idempotency key"
    )


async def _pause(attempt: int) -> None:
    await asyncio.sleep(0.01 * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
