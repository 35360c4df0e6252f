"""The writer of a store on a database server: few transactions of many commits each.

Commits that arrive while transactions are under way wait together and share the next one, those
of different sessions too (`app.backends.sql.lanes`). A transaction is tried again only where
nothing of it was done.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice

from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.backends.protocol import Scope
from app.backends.sql.appends import Appends, Interrupted, NothingDone, is_append
from app.backends.sql.dialects.dialect import DATABASE_ERRORS, Dialect, Failure, explain
from app.backends.sql.group import carry_out_group
from app.backends.sql.idempotency import to_record, used_keys
from app.backends.sql.lanes import Group, Lanes
from app.backends.sql.tables import sessions
from app.backends.sql.together import Outcome, Work, carry_out_together
from app.backends.sql.writer import TRIES, Job, answer, fail, work_of
from app.model.changes import Commit, Committed
from app.model.errors import StoreUnavailable, UnknownOutcome
from app.model.records import IdempotencyRecord

_AGAIN = (Failure.BUSY, Failure.CONTRADICTED, Failure.DISCONNECTED)
"""Failures after which the same transaction may succeed."""

_OF_ONE = (Failure.CONTRADICTED, Failure.INVALID, Failure.OTHER)
"""Failures that one commit may have brought on the others of its transaction."""

SHARED = 2
"""How many shared transactions run at once: one is prepared while another reaches the disk. With
more, each would have fewer commits."""

log = logging.getLogger(__name__)


class PooledWriter:
    """Writes over the connections of a pool; satisfies `Writer`."""

    def __init__(
        self,
        dialect: Dialect,
        engine: AsyncEngine,
        *,
        connections: int,
        appends: Appends | None = None,
    ) -> None:
        """`connections` is how many the engine has at most; `appends` is for what is one."""
        self._dialect = dialect
        self._appends = appends
        self._engine = engine
        self._lanes = Lanes()
        self._starting = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._shared = 0
        self._alone = 0
        self._most_alone = max(connections - SHARED, 1)
        self._closed = False

    async def commit(self, commits: Sequence[Commit], scope: Scope) -> list[Outcome]:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if not commits:
            return []
        job = Job(commits, scope, asyncio.get_running_loop().create_future())
        self._lanes.add(job)
        if not self._starting:
            # What else is ready to come in this turn of the loop comes along.
            self._starting = True
            asyncio.get_running_loop().call_soon(self._start)
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
        self._start()
        while self._tasks:
            await asyncio.wait(self._tasks)
        if self._appends is not None:
            await self._appends.close()
        await self._engine.dispose()

    def _start(self) -> None:
        """Starts the transactions that there are jobs for and that may run now."""
        self._starting = False
        while self._shared < SHARED and (group := self._lanes.next_shared()):
            self._shared += 1
            self._run(group)
        while self._alone < self._most_alone and (group := self._lanes.next_alone()):
            self._alone += 1
            self._run(group)

    def _run(self, group: Group) -> None:
        task = asyncio.create_task(self._work(group), name="scrollback-writer")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, group: Group) -> None:
        try:
            outcomes = await self._write(work_of(group.jobs), shared=group.shared)
        except Exception as error:  # noqa: BLE001 - handed to everyone who waits for it
            fail(group.jobs, error)
        else:
            self._answer(group, outcomes)
        finally:
            if group.shared:
                self._shared -= 1
            else:
                self._alone -= 1
            self._lanes.finish(group)
            self._start()

    def _answer(self, group: Group, outcomes: Sequence[Outcome | None]) -> None:
        rest = iter(outcomes)
        for lane, jobs in group.lanes:
            undone: list[Job] = []
            for job in jobs:
                mine = list(islice(rest, len(job.commits)))
                done = [one for one in mine if one is not None]
                unknown = next((one for one in done if isinstance(one, UnknownOutcome)), None)
                if unknown is not None:
                    fail([job], unknown)
                elif len(done) == len(mine):
                    answer([job], done)
                else:
                    undone.append(job)
            if undone:
                self._lanes.put_back(lane, undone)

    async def _write(self, work: list[Work], *, shared: bool) -> Sequence[Outcome | None]:
        for attempt in range(1, TRIES + 1):
            try:
                if shared and self._appends is not None and _are_appends(work):
                    return await self._append(self._appends, work)
                return await self._transact(work, shared=shared)
            except NothingDone as error:
                if shared and error.failure in _OF_ONE:
                    return [None] * len(work)
                if error.failure not in _AGAIN or attempt == TRIES:
                    refusal = explain(error.failure)
                    if error.cause is not None:
                        refusal = self._dialect.explain(error.cause)
                    raise refusal from error
            await _pause(attempt)
        raise AssertionError("the loop above answers or raises")

    async def _transact(self, work: list[Work], *, shared: bool) -> Sequence[Outcome | None]:
        outcomes, durable = None, False
        carry_out = self._carry_out_shared if shared else self._carry_out
        try:
            async with self._engine.connect() as connection:
                outcomes = await connection.run_sync(carry_out, work)
                await connection.commit()
                durable = True
        except DATABASE_ERRORS as error:
            if outcomes is not None and durable:
                return outcomes
            failure = self._dialect.failure(error)
            if outcomes is None or failure is Failure.BUSY:
                raise NothingDone(failure, error) from error
            log.warning("commit_interrupted", extra={"failure": failure.name, "commits": len(work)})
            return await self._resolve(work, outcomes)
        return outcomes

    async def _append(self, appends: Appends, work: Sequence[Work]) -> Sequence[Outcome | None]:
        try:
            return await appends.carry_out(work)
        except Interrupted as error:
            log.warning(
                "commit_interrupted", extra={"failure": error.failure.name, "commits": len(work)}
            )
            return await self._find_out(appends, work, error)

    async def _find_out(
        self, appends: Appends, work: Sequence[Work], interrupted: Interrupted
    ) -> Sequence[Outcome | None]:
        """Finds out which sessions an append has written whose end was not answered.

        Those without a key are of unknown outcome. Raises `UnknownOutcome` where it can't be asked.
        """
        for attempt in range(1, TRIES + 1):
            await _pause(attempt)
            try:
                written = await appends.find_out(work, interrupted)
            except NothingDone as error:
                log.warning("outcome_not_found_yet", extra={"failure": error.failure.name})
                continue
            return [
                _told(outcome, written.get(commit.session_id))
                for outcome, (commit, _) in zip(interrupted.outcomes, work, strict=True)
            ]
        raise _unknown() from interrupted

    def _carry_out_shared(
        self, connection: Connection, work: list[Work]
    ) -> Sequence[Outcome | None]:
        return carry_out_together(self._dialect, connection, work, wait=False)

    def _carry_out(self, connection: Connection, work: list[Work]) -> Sequence[Outcome | None]:
        mine = sorted({commit.session_id for commit, _ in work})
        if len(mine) > 1:
            # In one order for everybody: by turns, two writers would wait for each other.
            named = select(sessions.c.id).where(sessions.c.id.in_(mine)).order_by(sessions.c.id)
            connection.execute(named.with_for_update()).all()
        return carry_out_group(self._dialect, connection, work)

    async def _resolve(
        self, work: Sequence[Work], outcomes: Sequence[Outcome | None]
    ) -> Sequence[Outcome | None]:
        """Finds out what became of a transaction whose COMMIT was not answered.

        A transaction happens whole or not at all, so one of its idempotency keys tells for all of
        it. Raises `NothingDone`, or `UnknownOutcome` where there is no telling.
        """
        attempts = [
            to_record(commit, commit.idempotency, outcome) if commit.idempotency else None
            for (commit, _), outcome in zip(work, outcomes, strict=True)
            if isinstance(outcome, Committed) and not outcome.replayed and not outcome.existing
        ]
        if not attempts:
            return outcomes
        keyed = next((attempt for attempt in attempts if attempt is not None), None)
        if keyed is None:
            raise _unknown()
        for attempt in range(1, TRIES + 1):
            await _pause(attempt)
            try:
                async with self._engine.connect() as connection:
                    happened = await connection.run_sync(_has_happened, keyed)
            except DATABASE_ERRORS as error:
                log.warning(
                    "outcome_not_found_yet", extra={"failure": self._dialect.failure(error).name}
                )
                continue
            if happened:
                return outcomes
            if happened is False or None not in attempts:
                raise NothingDone(Failure.DISCONNECTED)
            break
        raise _unknown()


def _are_appends(work: Sequence[Work]) -> bool:
    return all(is_append(commit) for commit, _ in work)


def _has_happened(connection: Connection, attempt: IdempotencyRecord) -> bool | None:
    """Answers whether an attempt is in the store; None where it may still get there.

    Where its key was used by another process in the meantime, it is not. Who has the session's
    lock knows that the transaction which had it before is over. A session that is not there can't
    be locked: its creation may still be on its way.
    """
    locked = connection.execute(
        select(sessions.c.id).where(sessions.c.id == attempt.session_id).with_for_update()
    ).first()
    key = attempt.idempotency.key
    found = used_keys(connection, attempt.session_id, {key}).get(key)
    if found is not None:
        return found == attempt
    return None if locked is None else False


def _told(outcome: Outcome | None, written: bool | None) -> Outcome | None:
    """Returns what became of a commit whose session was written, was not, or may have been."""
    if outcome is None or written is False:
        return None
    return outcome if written else _unknown()


def _unknown() -> UnknownOutcome:
    return UnknownOutcome(
        "the connection to the database broke while it was making the change durable; "
        "retry with the same idempotency key"
    )


async def _pause(attempt: int) -> None:
    await asyncio.sleep(0.01 * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
