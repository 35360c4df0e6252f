"""The one writer of a store: group commit, retries, and what a failure means.

Commits that arrive while a transaction is on its way to the disk wait together and share the
next one, each behind a savepoint of its own, so that a refused commit harms no other. A commit is
answered after its transaction is durable.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.backends.protocol import Scope
from app.backends.sql.commit import carry_out
from app.backends.sql.dialects.gate import WriterGate
from app.model.changes import Commit, Committed
from app.model.errors import InvalidInput, ScrollbackError, StoreUnavailable, UnknownOutcome

T = TypeVar("T")
Outcome: TypeAlias = Committed | ScrollbackError

GROUP_SIZE = 64
"""How many commits share one transaction at most."""

_TRIES = 5

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Job:
    commits: Sequence[Commit]
    scope: Scope
    done: asyncio.Future[list[Outcome]]


class Writer:
    """Writes for a whole process. Used from one event loop."""

    def __init__(self, committing: Engine, writing: AsyncEngine, gate: WriterGate) -> None:
        """`committing` is used from the writer's own thread, `writing` for long transactions."""
        self._committing = committing
        self._writing = writing
        self._gate = gate
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scrollback-commit")
        self._waiting: deque[_Job] = deque()
        self._turn = asyncio.Lock()
        self._working: asyncio.Task[None] | None = None
        self._closed = False

    async def commit(self, commits: Sequence[Commit], scope: Scope) -> list[Outcome]:
        """Carries commits out and answers their outcomes, aligned, once they are durable.

        A caller who stops waiting does not stop the commits.
        """
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if not commits:
            return []
        job = _Job(commits, scope, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work(), name="scrollback-writer")
        return await job.done

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Holds one write transaction, committed at the end, for work that is no commit."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        async with self._turn, self._gate.hold():
            try:
                async with self._writing.begin() as connection:
                    yield connection
            except DBAPIError as error:
                raise unavailable(error) from error

    async def close(self) -> None:
        """Finishes what was asked for and closes the connection, under the gate.

        Closing the last connection checkpoints, which must not meet another process's writing.
        """
        if self._closed:
            return
        self._closed = True
        if self._working is not None:
            await self._working
        async with self._turn, self._gate.hold():
            await self._writing.dispose()
            await self._in_thread(self._committing.dispose)
        self._thread.shutdown()
        self._gate.close()

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, work, *arguments)

    async def _work(self) -> None:
        while self._waiting:
            async with self._turn:
                group = self._next_group()
                try:
                    outcomes = await self._write(group)
                except Exception as error:  # noqa: BLE001 - handed to everyone who waits for it
                    for job in group:
                        if not job.done.cancelled():
                            job.done.set_exception(error)
                    continue
                for job, answer in zip(group, outcomes, strict=True):
                    if not job.done.cancelled():
                        job.done.set_result(answer)

    def _next_group(self) -> list[_Job]:
        group = [self._waiting.popleft()]
        size = len(group[0].commits)
        while self._waiting and size + len(self._waiting[0].commits) <= GROUP_SIZE:
            size += len(self._waiting[0].commits)
            group.append(self._waiting.popleft())
        return group

    async def _write(self, group: list[_Job]) -> list[list[Outcome]]:
        async with self._gate.hold():
            for attempt in range(1, _TRIES + 1):
                try:
                    return await self._in_thread(_commit_group, self._committing, group)
                except DBAPIError as error:
                    if not is_busy(error) or attempt == _TRIES:
                        raise unavailable(error) from error
                    await asyncio.sleep(0.01 * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311
        raise AssertionError("the loop above answers or raises")


def _commit_group(engine: Engine, group: list[_Job]) -> list[list[Outcome]]:
    with engine.connect() as connection:
        transaction = connection.begin()
        alone = len(group) == 1 and len(group[0].commits) == 1
        if alone:
            job = group[0]
            try:
                outcomes: list[list[Outcome]] = [[_attempt(connection, job.commits[0], job.scope)]]
            except ScrollbackError as refusal:
                transaction.rollback()
                return [[refusal]]
        else:
            outcomes = [
                [_carry_out_one(connection, commit, job.scope) for commit in job.commits]
                for job in group
            ]
        try:
            transaction.commit()
        except DBAPIError as error:
            if is_busy(error):
                raise
            log.exception("commit_failed")
            raise UnknownOutcome(
                "the store failed while it was making the change durable; "
                "retry with the same idempotency key"
            ) from error
    return outcomes


def _attempt(connection: Connection, commit: Commit, scope: Scope) -> Committed:
    try:
        return carry_out(connection, commit, scope)
    except UnicodeEncodeError as error:
        raise InvalidInput("text with a lone surrogate can't be stored") from error


def _carry_out_one(connection: Connection, commit: Commit, scope: Scope) -> Outcome:
    savepoint = connection.begin_nested()
    try:
        committed = _attempt(connection, commit, scope)
    except ScrollbackError as refusal:
        savepoint.rollback()
        return refusal
    except IntegrityError:
        savepoint.rollback()
        log.exception("commit_refused_by_store", session_id=commit.session_id)
        return StoreUnavailable("the store refused the change; nothing was changed")
    savepoint.commit()
    return committed


def is_busy(error: DBAPIError) -> bool:
    """Answers whether another connection held the database; the same again may work."""
    return "database is locked" in str(error.orig) or "busy" in str(error.orig)


def unavailable(error: DBAPIError) -> ScrollbackError:
    """Returns what a failure of the database means to who asked, without its internals."""
    cause = str(error.orig)
    if is_busy(error):
        return StoreUnavailable("the store is busy: another program is writing to it; try again")
    if "full" in cause:
        return StoreUnavailable("the disk is full: nothing was changed; make room and try again")
    if "readonly" in cause:
        return StoreUnavailable("the store is read-only for this process; nothing was changed")
    return StoreUnavailable("the store failed; nothing was changed")
