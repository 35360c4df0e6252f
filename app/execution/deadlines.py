"""The time limit of runs, many of them watched by one timer.

`asyncio.timeout()` starts a timer for each run, and almost none of those ever rings. The runs of
an executor all have the same limit, so the first to begin is the first to expire, and one timer
that is set for that one is enough.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, CancelledError, Task, TimerHandle, current_task
from contextvars import Context
from types import TracebackType
from typing import Any


class Deadlines:
    """Watches runs that may take so many seconds. The runs of one event loop at a time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop: AbstractEventLoop | None = None
        self._timer: TimerHandle | None = None
        self._watched: dict[Deadline, float] = {}

    def begin(self, loop: AbstractEventLoop) -> Deadline:
        """Returns the deadline of what the current task begins now, as a context manager."""
        return Deadline(self, loop)

    def watch(self, deadline: Deadline, loop: AbstractEventLoop) -> None:
        """Lets a deadline expire when its time is over."""
        if loop is not self._loop:
            self._loop, self._timer, self._watched = loop, None, {}
        when = self._watched[deadline] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = self._set(loop, when)

    def forget(self, deadline: Deadline) -> None:
        """Lets a deadline expire no more."""
        self._watched.pop(deadline, None)

    def _set(self, loop: AbstractEventLoop, when: float) -> TimerHandle:
        # In a context of its own: the timer is set again and again, and would keep that of the
        # first request for as long as others follow.
        return loop.call_at(when, self._ring, loop, context=Context())

    def _ring(self, loop: AbstractEventLoop) -> None:
        if loop is not self._loop:
            return
        self._timer = None
        now = loop.time()
        while self._watched:
            deadline, when = next(iter(self._watched.items()))
            if when > now:
                self._timer = self._set(loop, when)
                return
            del self._watched[deadline]
            deadline.expire()


class Deadline:
    """The time limit of one run: does what `asyncio.timeout()` does, with the same exception."""

    __slots__ = ("_cancelling", "_deadlines", "_loop", "_task", "expired")

    def __init__(self, deadlines: Deadlines, loop: AbstractEventLoop) -> None:
        self._deadlines = deadlines
        self._loop = loop
        self._task: Task[Any] | None = None
        self._cancelling = 0
        self.expired = False
        """Whether the time was over before the run was."""

    def expire(self) -> None:
        """Cancels the task that the deadline was begun in."""
        self.expired = True
        if self._task is not None:
            self._task.cancel()

    def __enter__(self) -> Deadline:
        """Starts the time. RuntimeError outside of a task."""
        task = self._task = current_task(self._loop)
        if task is None:
            raise RuntimeError("A time limit needs a task that it can cancel.")
        self._cancelling = task.cancelling()
        self._deadlines.watch(self, self._loop)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Ends the time. TimeoutError instead of the cancellation that was the deadline's own."""
        task, self._task = self._task, None
        if not self.expired:
            self._deadlines.forget(self)
        elif (
            task is not None
            and task.uncancel() <= self._cancelling
            and kind is not None
            and issubclass(kind, CancelledError)
        ):
            raise TimeoutError from error
