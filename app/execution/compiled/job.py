"""An awaitable that stands where a value belongs, run without an asyncio task of its own.

A `Job` is a task in the sense of asyncio's documentation ("Extending", task lifetime support): it
is what `asyncio.current_task()` answers to the resolver that it runs, it can be cancelled, so that
`asyncio.timeout()` and `asyncio.TaskGroup` work in a resolver, and it has its own copy of the
context variables. It takes its first step at once and goes on in the callback of what it waits
for, which is a fourth of the cost of `asyncio.Task` and `gather()`.

What a data loader answers has no resolver left to run. Those many jobs are never tasks: what they
wait for is completed in the task and the context variables of whoever asked for it.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, CancelledError, Future
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context, copy_context
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from app.execution.batch_loader import BatchFuture
from app.execution.compiled.paths import LinkedPath
from app.execution.given_up import is_given_up
from app.execution.running import AbandonedError

if TYPE_CHECKING:
    from app.execution.compiled.plan import Position
    from app.execution.compiled.run import CompiledRun

Complete: TypeAlias = "Callable[[CompiledRun, Any, LinkedPath], Any]"
"""Makes a resolver's value what the response holds, or a Job that will."""

ABANDONED = "A resolver awaited what was cancelled."


class Spot:
    """A nullable place of the response around places that are still awaited.

    Null ends up here when one of its members fails and may not be null itself.
    """

    __slots__ = ("dead", "members", "path", "up")

    def __init__(self, path: LinkedPath, members: list[Job | Spot]) -> None:
        self.path = path
        self.members = members
        self.up: Spot | None = None
        self.dead = False


class Collected:
    """The items of an asynchronous iterator, and what is awaited in them."""

    __slots__ = ("items", "open", "queued")

    def __init__(self, items: list[Any], opened: list[Job | Spot], queued: list[Job]) -> None:
        self.items = items
        self.open = opened
        self.queued = queued


class Job(Struct, eq=False, weakref=True):
    """One awaitable of a run, the place its value belongs to, and what to make of the value."""

    run: CompiledRun
    position: Position
    source: Awaitable[Any]
    path: LinkedPath
    complete: Complete | None
    context: Context | None
    """Its own context variables, or for a loader's answer those of the step that it came of.

    None where that was a step of the run's own task.
    """
    into: Any = None
    up: Spot | None = None
    dead: bool = False
    _cancels: int = 0
    _must_cancel: bool = False
    _fut_waiter: Future[Any] | None = None
    _coroutine: Coroutine[Any, Any, Any] | None = None

    def __repr__(self) -> str:
        return f"<Job of {self.get_name()}>"

    def start(self) -> None:
        """Takes the first step. No task may be the current one."""
        source = self.source
        self.run.active.add(self)
        if type(source) is BatchFuture:
            # It has ended by now, for the run waits for a batch itself.
            self.context = copy_context() if self.context is None else self.context.copy()
        context: Any = self.context
        if isinstance(source, Future):
            if source.done():
                context.run(self._enter, self._settle, source)
            else:
                self._wait_for(source, self._settled)
            return
        self._coroutine = source if isinstance(source, CoroutineType) else _awaited(source)
        context.run(self._enter, self._step)

    def discard(self) -> None:
        """Gives up a job that was not started, or whose batch has not ended."""
        self.dead = True
        self.into = None
        if isinstance(self.source, CoroutineType):
            self.source.close()
        elif isinstance(self.source, Future):
            self.run.leftovers.append(self.source)

    def stop(self) -> None:
        """Cancels a job that was started, once, and lets nothing more come of it.

        A future that it waits for is only let go of until the run ends: other fields may wait for
        it as well, and a data loader whose futures are all cancelled never loads again.
        """
        if self.dead:
            return
        self.dead = True
        self.into = None
        waiter = self._fut_waiter
        if type(waiter) is not Future and type(waiter) is not BatchFuture:
            self.cancel()
            return
        self._cancels += 1
        self._must_cancel = True
        self.run.leftovers.append(waiter)
        if self._coroutine is None:
            waiter.remove_done_callback(self._settled)
            self.loop.call_soon(self._settled, waiter, context=self.context)
        elif waiter.remove_done_callback(self._wake):
            self.loop.call_soon(self._wake, waiter, context=self.context)

    def settle(self, source: Future[Any]) -> None:
        """Goes on with what it waited for, which has ended, in the current task."""
        try:
            error = source.exception()
        except CancelledError:
            self.fail(AbandonedError(ABANDONED))
            return
        if error is None:
            self.finish(source.result())
        elif isinstance(error, Exception):
            self.fail(error)
        else:
            raise error

    def finish(self, value: Any) -> None:
        """Takes the value to its place in the response."""
        run = self.run
        if self.dead:
            run.dispose(value)
            return
        opened = run.open
        mark = len(opened)
        complete = self.complete
        try:
            if complete is None:
                complete = self.position.awaited[type(value)]
            completed = complete(run, value, self.path)
        except Exception as error:  # noqa: BLE001 - becomes an error of this field
            run.drop(mark)
            self.fail(error)
            return
        if len(opened) > mark:
            if self.position.nullable:
                run.enclose(mark, self.path)
            run.adopt(mark, self.up)
        if type(completed) is Job:
            completed.into = self.into
        self.into[self.path[1]] = completed

    def fail(self, error: Exception) -> None:
        """Records an error, and null in the nearest place that may be null."""
        if self.dead:
            return
        located = self.position.field.locate(error, self.path)
        if self.position.nullable:
            self.run.errors.append(located)
            self.into[self.path[1]] = None
        else:
            self.run.nullify(self.up, located)

    # What asyncio asks of a task.

    def cancel(self, msg: object = None) -> bool:
        """Requests cancellation, as `asyncio.Task.cancel` does."""
        if self not in self.run.active:
            return False
        self._cancels += 1
        self._must_cancel = self._fut_waiter is None or not self._fut_waiter.cancel()
        return True

    def cancelling(self) -> int:
        """Returns how many cancellations were requested and not taken back."""
        return self._cancels

    def uncancel(self) -> int:
        """Takes back one request, as `asyncio.Task.uncancel` does."""
        if self._cancels:
            self._cancels -= 1
            if not self._cancels:
                self._must_cancel = False
        return self._cancels

    def done(self) -> bool:
        """Tells whether the resolver has ended."""
        return self not in self.run.active

    def cancelled(self) -> bool:
        """Tells whether the resolver was given up."""
        return self.dead and self.done()

    def get_coro(self) -> Coroutine[Any, Any, Any] | None:
        """Returns the resolver's coroutine."""
        return self._coroutine

    def get_loop(self) -> AbstractEventLoop:
        """Returns the event loop."""
        return self.loop

    def get_name(self) -> str:
        """Returns the field's name, for logs."""
        return f"GraphQL field {self.position.field.name}"

    @property
    def loop(self) -> AbstractEventLoop:
        """The event loop of the run."""
        return self.run.loop

    def _enter(self, step: Callable[..., None], *arguments: Any) -> None:
        run = self.run
        loop: Any = run.loop
        task: Any = self
        _enter_task(loop, task)
        run.entered = self.context
        try:
            step(*arguments)
        except BaseException as error:  # noqa: BLE001 - raised where the run is awaited
            run.break_off(error)
        finally:
            run.entered = None
            _leave_task(loop, task)

    def _step(self, thrown: BaseException | None = None) -> None:
        coroutine = self._coroutine
        if coroutine is None:
            return
        if self._must_cancel:
            self._must_cancel = False
            thrown = CancelledError()
        try:
            waited = coroutine.send(None) if thrown is None else coroutine.throw(thrown)
        except StopIteration as stop:
            self.run.active.discard(self)
            self.finish(stop.value)
        except CancelledError as error:
            self.run.active.discard(self)
            self.fail(abandoned(error))
        except Exception as error:  # noqa: BLE001 - becomes an error of this field
            self.run.active.discard(self)
            self.fail(error)
        except BaseException:
            self.run.active.discard(self)
            raise
        else:
            self._wait(waited)

    def _wait(self, waited: Any) -> None:
        if getattr(waited, "_asyncio_future_blocking", None):
            waited._asyncio_future_blocking = False
            self._wait_for(waited, self._wake)
            if self._must_cancel and waited.cancel():
                self._must_cancel = False
        elif waited is None:
            self.loop.call_soon(self._wake, None, context=self.context)
        else:
            error = RuntimeError(f"A resolver yielded what no event loop awaits: {waited!r}")
            self.loop.call_soon(self._wake, None, error, context=self.context)

    def _wait_for(self, future: Future[Any], wake: Callable[[Future[Any]], None]) -> None:
        self._fut_waiter = future
        future.add_done_callback(wake, context=self.context)

    def _wake(self, _future: Future[Any] | None, thrown: BaseException | None = None) -> None:
        self._fut_waiter = None
        self._enter(self._step, thrown)
        self.run.go_on()

    def _settled(self, future: Future[Any]) -> None:
        self._fut_waiter = None
        self._enter(self._settle, future)
        self.run.go_on()

    def _settle(self, future: Future[Any]) -> None:
        self.run.active.discard(self)
        if not self.dead:
            self.settle(future)


def open_job(
    run: CompiledRun,
    position: Position,
    source: Awaitable[Any],
    path: LinkedPath,
    complete: Complete | None = None,
) -> Job:
    """Returns the job of an awaitable at a path of the response, known to the run."""
    context = run.entered if type(source) is BatchFuture else copy_context()
    job = Job(run, position, source, path, complete, context)
    run.queue.append(job)
    run.open.append(job)
    return job


async def await_alone(job: Job) -> None:
    """Runs a job that has no others beside it in the current task."""
    source = job.source
    try:
        if type(source) is BatchFuture and source.batch.claim():
            await source.batch.load_here()
        value = await source
    except CancelledError as error:
        if is_given_up():
            job.discard()
            raise
        job.fail(abandoned(error))
    except Exception as error:  # noqa: BLE001 - becomes an error of this field
        job.fail(error)
    else:
        job.finish(value)


def abandoned(cause: CancelledError) -> AbandonedError:
    """Returns the error of a field whose resolver awaited what somebody else cancelled."""
    error = AbandonedError(ABANDONED)
    error.__cause__ = cause
    return error


async def _awaited(source: Awaitable[Any]) -> Any:
    return await source
