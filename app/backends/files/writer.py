"""The asynchronous front of the writer thread: commits that wait together are written together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from app.backends.files.committer import Committer, Ordered, Outcome
from app.backends.files.policy import Durability, Policy
from app.backends.protocol import Scope
from app.model.changes import Commit
from app.model.errors import StoreUnavailable

T = TypeVar("T")

GROUP_SIZE = 64
"""How many commits are written together at most."""


@dataclass(slots=True)
class _Job:
    ordered: list[Ordered]
    done: asyncio.Future[list[Outcome]]


class Writer:
    """Writes for a whole process. Used from one event loop."""

    def __init__(self, committer: Committer, policy: Policy) -> None:
        self._committer = committer
        self._policy = policy
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scrollback-files-writer")
        self._waiting: deque[_Job] = deque()
        self._working: asyncio.Task[None] | None = None
        self._syncing: asyncio.Task[None] | None = None
        self._closed = False

    async def commit(self, commits: Sequence[Commit], scope: Scope) -> list[Outcome]:
        """Carries commits out and answers their outcomes, aligned, once the policy is met.

        A caller who stops waiting does not stop the commits.
        """
        self.require_open()
        if not commits:
            return []
        ordered = [Ordered(commit, scope) for commit in commits]
        job = _Job(ordered, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work(), name="scrollback-files-writer")
        return await job.done

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Runs other work on the writer's thread."""
        self.require_open()
        return await self._in_thread(work, *arguments)

    def require_open(self) -> None:
        """Raises once the store is closed."""
        if self._closed:
            raise StoreUnavailable("the store is closed")

    async def close(self) -> None:
        """Finishes what was asked for, and makes durable what has yet to be."""
        if self._closed:
            return
        self._closed = True
        if self._working is not None:
            await self._working
        if self._syncing is not None:
            self._syncing.cancel()
        await self._in_thread(self._committer.close)
        self._thread.shutdown()

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    async def _work(self) -> None:
        while self._waiting or self._committer.texts_due:
            if self._waiting:
                await self._commit_group(self._next_group())
            if self._committer.texts_due:
                await self._in_thread(self._committer.settle_texts)

    async def _commit_group(self, group: list[_Job]) -> None:
        ordered = [one for job in group for one in job.ordered]
        try:
            outcomes = await self._in_thread(self._committer.commit, ordered)
        except Exception as error:  # noqa: BLE001 - handed to everyone who waits for it
            for job in group:
                if not job.done.cancelled():
                    job.done.set_exception(error)
            return
        at = 0
        for job in group:
            if not job.done.cancelled():
                job.done.set_result(outcomes[at : at + len(job.ordered)])
            at += len(job.ordered)
        self._sync_soon()

    def _next_group(self) -> list[_Job]:
        group = [self._waiting.popleft()]
        size = len(group[0].ordered)
        while self._waiting and size + len(self._waiting[0].ordered) <= GROUP_SIZE:
            size += len(self._waiting[0].ordered)
            group.append(self._waiting.popleft())
        return group

    def _sync_soon(self) -> None:
        if self._policy.durability is not Durability.INTERVAL:
            return
        if self._syncing is None or self._syncing.done():
            self._syncing = asyncio.create_task(self._sync_after_interval())

    async def _sync_after_interval(self) -> None:
        await asyncio.sleep(self._policy.interval / 1000)
        if not self._closed:
            await self._in_thread(self._committer.sync_dirty)
