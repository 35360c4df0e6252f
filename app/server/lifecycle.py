"""What is running, and how it ends when the server stops.

The order of a stop: nothing new begins (`begin_drain`), running mutations finish, then sockets and
event streams are ended, whose clients connect again elsewhere. A mutation that has begun also
outlives its client: a closed laptop does not leave the client guessing about a half-run mutation.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from aiohttp import web

SOCKET = "websocket"
EVENT_STREAM = "event_stream"

T = TypeVar("T")
EndConnection = Callable[[], object]

_log = logging.getLogger("scrollback.server")


class Lifecycle:
    """Keeps account of mutations and of long-lived connections of one application."""

    def __init__(self) -> None:
        self.draining = False
        self._mutations: set[asyncio.Task[Any]] = set()
        self._connections: dict[asyncio.Task[Any], tuple[str, EndConnection]] = {}

    def begin_drain(self) -> None:
        """From here on `/readyz` says no, and new operations are refused."""
        self.draining = True

    async def run_to_end(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs work that is not given up when the one who waits for it is cancelled."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(work)
        self._mutations.add(task)
        ended = loop.create_future()

        def end(task: asyncio.Task[T]) -> None:
            self._mutations.discard(task)
            if ended.done():
                _report_unseen_failure(task)
            else:
                ended.set_result(None)

        # What is awaited is a future of its own, so that a cancellation does not reach the task.
        task.add_done_callback(end)
        try:
            await ended
        except asyncio.CancelledError:
            if not ended.cancelled():
                _report_unseen_failure(task)
            raise
        return task.result()

    async def run_here_to_end(self, work: Awaitable[T]) -> T:
        """Runs work in a task of which whoever would cancel it asks `may_be_given_up` first."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a mutation is run by a task")
        self._mutations.add(task)
        try:
            return await work
        finally:
            self._mutations.discard(task)

    def may_be_given_up(self, task: asyncio.Task[Any]) -> bool:
        """Answers whether a task may be cancelled because its client has left."""
        return task not in self._mutations

    @contextmanager
    def connection(self, kind: str, end: EndConnection) -> Iterator[None]:
        """Counts the running task as a long-lived connection; `end` makes it end when stopping."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is served by a task")
        self._connections[task] = kind, end
        try:
            yield
        finally:
            del self._connections[task]

    def open_connections(self) -> dict[str, int]:
        """Returns how many long-lived connections of each kind there are."""
        counts = dict.fromkeys((SOCKET, EVENT_STREAM), 0)
        for kind, _ in self._connections.values():
            counts[kind] += 1
        return counts

    async def drain(self, drain_timeout: float, close_timeout: float) -> None:
        """Finishes mutations and ends connections; returns when none is left.

        Mutations get `drain_timeout` seconds, connections `close_timeout`; what is left then is
        cancelled.
        """
        self.begin_drain()
        await _finish(self._mutations, drain_timeout, "mutations")
        for _, end in list(self._connections.values()):
            end()
        await _finish(self._connections.keys(), close_timeout, "connections")


LIFECYCLE = web.AppKey("lifecycle", Lifecycle)


async def _finish(tasks: Any, seconds: float, what: str) -> None:
    """Waits for tasks, cancels those that take longer, and waits for these too."""
    waiting = set(tasks)
    if not waiting:
        return
    _, late = await asyncio.wait(waiting, timeout=seconds)
    if late:
        _log.warning("cancelled at shutdown", extra={"what": what, "count": len(late)})
        for task in late:
            task.cancel()
        await asyncio.wait(late, timeout=1)


def _report_unseen_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()):
        _log.error("operation failed after its client left", exc_info=error)
