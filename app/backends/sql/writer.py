"""What the backend asks of its writer, and the queue entry that all writers share."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from app.backends.protocol import Scope
from app.backends.sql.together import Outcome, Work
from app.model.changes import Commit

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

GROUP_SIZE = 64
"""How many commits share one transaction, unless a single call brings more."""

TRIES = 5
"""How often a transaction is tried when others are in its way."""


class Writer(Protocol):
    """Writes for a whole process. Used from one event loop."""

    def commit(self, commits: Sequence[Commit], scope: Scope) -> Awaitable[Sequence[Outcome]]:
        """Carries commits out and answers their outcomes, aligned, once they are durable.

        A caller who stops waiting does not stop the commits. Raises `StoreUnavailable` (nothing
        was done) and `UnknownOutcome`.
        """
        ...

    def transaction(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Holds one write transaction, committed at the end, for work that is no commit."""
        ...

    def check(self) -> None:
        """Raises `StoreUnavailable` where it is known that nothing can be written."""
        ...

    async def close(self) -> None:
        """Finishes what was asked for and lets go of the connections."""
        ...


class Job(Struct, eq=False):
    """One call of `commit` that waits for its outcomes."""

    commits: Sequence[Commit]
    scope: Scope
    done: asyncio.Future[list[Outcome]]


def next_group(
    waiting: deque[Job], room: int = GROUP_SIZE, fits: Callable[[Job], bool] | None = None
) -> list[Job]:
    """Takes the jobs of the next transaction from the queue, at least one.

    More follow while there is room for their commits and `fits` says yes.
    """
    group = [waiting.popleft()]
    size = len(group[0].commits)
    while waiting:
        job = waiting[0]
        size += len(job.commits)
        if size > room or (fits is not None and not fits(job)):
            break
        group.append(waiting.popleft())
    return group


def work_of(group: Sequence[Job]) -> list[Work]:
    """Returns the commits of a group in order, each with its scope."""
    return [(commit, job.scope) for job in group for commit in job.commits]


def answer(group: Sequence[Job], outcomes: Sequence[Outcome]) -> None:
    """Gives each job its outcomes."""
    place = 0
    for job in group:
        end = place + len(job.commits)
        done = job.done
        if not done.cancelled():
            done.set_result(list(outcomes[place:end]))
        place = end


def fail(group: Sequence[Job], error: Exception) -> None:
    """Gives each job the error that ended the transaction."""
    for job in group:
        if not job.done.cancelled():
            job.done.set_exception(error)
