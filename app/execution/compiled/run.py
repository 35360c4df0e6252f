"""One run of a plan: the state that its generated code and its jobs share."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError, Future
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Awaitable
from contextvars import Context, copy_context
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from graphql import ExecutionResult, GraphQLError, GraphQLSchema
from graphql.execution.values import VariableValues

from app.execution.batch_loader import Batch, BatchFuture
from app.execution.compiled.job import Collected, Job, Spot, await_alone
from app.execution.compiled.paths import LinkedPath, keys_of
from app.execution.deadlines import Deadline, Deadlines
from app.execution.document import Prepared
from app.execution.running import OperationTimeoutError, Run

if TYPE_CHECKING:
    from app.execution.compiled.plan import Plan


TURNS_TO_END = 3
"""Of the event loop: a future's callback, which cancels a task, which ends."""


class CompiledRun:
    """One run of a compiled operation; every event of a subscription is a run of its own."""

    __slots__ = (
        "_batches",
        "_broken",
        "_core",
        "_data",
        "_deadline",
        "_ended",
        "_failed",
        "_finished",
        "_nulls",
        "_roots",
        "_spots",
        "active",
        "arguments",
        "context",
        "entered",
        "errors",
        "leftovers",
        "loop",
        "open",
        "plan",
        "prepared",
        "queue",
        "root_value",
        "schema",
        "variables",
    )

    loop: asyncio.AbstractEventLoop

    def __init__(
        self,
        plan: Plan,
        schema: GraphQLSchema,
        prepared: Prepared,
        variables: VariableValues,
        context: object,
        root_value: object = None,
    ) -> None:
        self.plan = plan
        self.schema = schema
        self.prepared = prepared
        self.variables = variables
        self.context = context
        self.root_value = root_value
        self.arguments: dict[int, dict[str, Any]] = {}
        self.errors: list[GraphQLError] = []
        self.open: list[Job | Spot] = []
        """What is awaited below the place being completed, nothing around it known yet."""
        self.queue: list[Job] = []
        self.active: set[Job] = set()
        self.entered: Context | None = None
        """The context variables of the step being taken; None for those of the run's own task."""
        self.leftovers: list[Future[Any]] = []
        self._data: dict[str, Any] = {}
        self._batches: dict[Batch, list[Job]] = {}
        self._ended: list[Batch] = []
        self._roots: list[Job | Spot] = []
        self._spots: list[Spot] = []
        self._nulls: list[LinkedPath] = []
        self._failed = False
        self._broken: BaseException | None = None
        self._finished: Future[None] | None = None
        self._core: Run | None = None
        self._deadline: Deadline | None = None

    @property
    def core(self) -> Run:
        """graphql-core's run of the same operation, for what it alone can answer."""
        if self._core is None:
            self._core = Run(
                self.schema, self.prepared, self.variables, self.context, self.root_value
            )
        return self._core

    async def result(self, deadlines: Deadlines) -> ExecutionResult:
        """Runs the operation and returns its result, under the promises of `Run.result`."""
        try:
            return await self._result(deadlines)
        finally:
            self._take_apart()

    async def _result(self, deadlines: Deadlines) -> ExecutionResult:
        self.loop = asyncio.get_running_loop()
        fields = self.plan.fields
        if self.plan.serial:
            await self._within(deadlines, self._serially())
        else:
            try:
                self._complete_root(fields[0])
            except BaseException:
                await self._end_leftovers()
                raise
            if self.queue:
                await self._within(deadlines, self._settle())
        if self.leftovers or self._core is not None:
            await self._end_leftovers()
        if self._failed:
            return ExecutionResult(None, self.errors)
        for path in self._nulls:
            _put_null(self._data, keys_of(path))
        return ExecutionResult(self._data, self.errors or None)

    def _take_apart(self) -> None:
        """Breaks the cycles, so that a run is freed with all it loaded and not by a collection.

        Collecting the garbage of many requests together takes a quarter of the time that they do.
        """
        if self._core is not None:
            self._core.take_apart()
        self._roots.clear()
        self._data = {}
        self.errors = []
        for spot in self._spots:
            spot.members = []
        self._spots.clear()

    def _complete_root(self, build: Any) -> None:
        try:
            data = build(self, self.root_value, None)
        except GraphQLError as error:
            self.drop(0)
            self.errors.append(error)
            self._failed = True
            return
        self._data = data
        self._roots += self.open
        self.open.clear()

    async def _serially(self) -> None:
        data: dict[str, Any] = {}
        for build in self.plan.fields:
            self._check_time()
            self._complete_root(build)
            if not self._failed:
                await self._settle()
            if self._failed:
                return
            data.update(self._data)
        self._data = data

    async def _settle(self) -> None:
        while self.queue or self._ended:
            self._check_time()
            if len(self.queue) == 1 and not (self.active or self._ended or self._waits()):
                (job,) = self.queue
                self.queue = []
                if not job.dead:
                    await await_alone(job)
                continue
            self._settle_ended()
            self._start_queued()
            if self._broken is None and (self.active or self._waits()):
                batch = None if self.active else self._claimed()
                if batch is not None:
                    await batch.load_here()
                else:
                    self._finished = self.loop.create_future()
                    await self._finished
            if self._broken is not None:
                raise self._broken

    def _waits(self) -> bool:
        """Tells whether anybody still waits for a batch."""
        for jobs in self._batches.values():
            for job in jobs:
                if not job.dead:
                    return True
        return False

    def _claimed(self) -> Batch | None:
        """Begins what is waited for while nobody is left to add keys to it.

        Returns the batch that is to be loaded in the run's own task: the only one. Several get a
        task each, or what is below the first to end would wait for the others.
        """
        for batch in self._batches:
            if batch.begun:
                return None  # when it ends soon, what is below it still joins the others
        alone = len(self._batches) == 1
        for batch in self._batches:
            batch.claim()
            if alone:
                return batch
            batch.begin(self.loop)
        return None

    def _start_queued(self) -> None:
        """Starts what was asked for; what waits for a batch goes on when that has ended."""
        while self.queue:
            queued, self.queue = self.queue, []
            batches = self._batches
            others: list[Job] = []
            for job in queued:
                source = job.source
                if job.dead:
                    continue
                if type(source) is not BatchFuture or source.done():
                    others.append(job)
                    continue
                batch = source.batch
                waiting = batches.get(batch)
                if waiting is None:
                    waiting = batches[batch] = []
                    batch.add_done_callback(self._note_end)
                waiting.append(job)
            if others:
                self._start(others)

    def _start(self, jobs: list[Job]) -> None:
        # A job is a task itself, and one task has to be left before another is entered.
        loop: Any = self.loop
        task: Any = asyncio.current_task(loop)
        if task is not None:
            _leave_task(loop, task)
        try:
            for job in jobs:
                if not job.dead:
                    job.start()
        finally:
            if task is not None:
                _enter_task(loop, task)

    def _note_end(self, batch: Batch) -> None:
        # The run's own task does the rest, so that a large response is made, encoded and freed in
        # one go, and not together with those of all requests whose batches ended at the same time.
        if batch in self._batches:
            self._ended.append(batch)
            self._wake()

    def _settle_ended(self) -> None:
        """Completes what has come with the batches that have ended, in the current task.

        What came of one step goes on together, with a copy of its context variables.
        """
        while self._ended:
            jobs = self._batches.pop(self._ended.pop(0))
            number = 0
            while number < len(jobs):
                origin = jobs[number].context
                context = self.entered = copy_context() if origin is None else origin.copy()
                try:
                    number = context.run(self._settle_alike, jobs, number)
                finally:
                    self.entered = None

    def _settle_alike(self, jobs: list[Job], number: int) -> int:
        """Completes jobs of one step, from a number on; returns where those of another begin."""
        origin = jobs[number].context
        while number < len(jobs):
            job = jobs[number]
            if job.context is not origin:
                break
            if not job.dead:
                source: Any = job.source
                job.settle(source)
            number += 1
        return number

    def go_on(self) -> None:
        """Starts what the last step has asked for, and ends the wait when there is no more."""
        self._start_queued()
        if not (self.active or self._waits()):
            self._wake()

    def _wake(self) -> None:
        if self._finished is not None and not self._finished.done():
            self._finished.set_result(None)

    def break_off(self, error: BaseException) -> None:
        """Ends the run with an exception that is no error of a field, such as an interrupt."""
        self._broken = error
        self._wake()

    def enclose(self, mark: int, path: LinkedPath) -> None:
        """Notes the nullable place around all that came to be awaited since `mark`."""
        members = self.open[mark:]
        del self.open[mark:]
        spot = Spot(path, members)
        for member in members:
            member.up = spot
        self.open.append(spot)
        self._spots.append(spot)

    def adopt(self, mark: int, up: Spot | None) -> None:
        """Puts all that came to be awaited since `mark` below a place that is there already."""
        members = self.open[mark:]
        del self.open[mark:]
        for member in members:
            member.up = up
        (self._roots if up is None else up.members).extend(members)

    def drop(self, mark: int) -> None:
        """Gives up all that came to be awaited since `mark`: what it belonged to has failed."""
        if len(self.open) > mark:
            members = self.open[mark:]
            del self.open[mark:]
            self._stop(members)

    def nullify(self, spot: Spot | None, error: GraphQLError) -> None:
        """Records an error, and null in a place or, for None, instead of all data."""
        self.errors.append(error)
        if spot is None:
            self._failed = True
            self._stop(self._roots)
        else:
            spot.dead = True
            self._nulls.append(spot.path)
            self._stop(spot.members)

    def dispose(self, value: Any) -> None:
        """Gives up a value that nobody asks for any more, and what it would have awaited."""
        if isinstance(value, CoroutineType):
            value.close()
        elif isinstance(value, Future):
            self.leftovers.append(value)
        elif isinstance(value, Collected):
            for job in value.queued:
                job.discard()
        elif isinstance(value, (list, tuple)):
            for item in value:
                self.dispose(item)

    def _stop(self, members: list[Job | Spot]) -> None:
        pending = list(members)
        while pending:
            member = pending.pop()
            if isinstance(member, Spot):
                if not member.dead:
                    member.dead = True
                    pending += member.members
            elif member in self.active:
                member.stop()
            elif not member.dead:
                member.discard()

    def _check_time(self) -> None:
        """Goes no further when the time is over, though a resolver has caught its cancellation."""
        if self._deadline is not None and self._deadline.expired:
            raise CancelledError

    async def _within(self, deadlines: Deadlines, awaitable: Awaitable[None]) -> None:
        deadline = self._deadline = deadlines.begin(self.loop)
        try:
            with deadline:
                await awaitable
        except BaseException as error:
            await self._end_leftovers()
            if isinstance(error, TimeoutError) and deadline.expired:
                raise OperationTimeoutError from None
            raise

    async def _end_leftovers(self) -> None:
        """Cancels whatever still runs and returns when it has ended."""
        for job in self.queue:
            if not job.dead:
                job.discard()
        self.queue = []
        for jobs in self._batches.values():
            for job in jobs:
                if not job.dead:
                    job.discard()
        self._batches.clear()
        self._ended.clear()
        for job in list(self.active):
            job.stop()
        interrupted: CancelledError | None = None
        while self.active:
            self._finished = self.loop.create_future()
            try:
                await self._finished
            except CancelledError as error:
                # Jobs are steps of this very task: leaving now would break them off.
                interrupted = error
        pending = [future for future in self.leftovers if not future.done()]
        for future in pending:
            future.cancel()
        try:
            if pending:
                # Whoever was to answer them, a data loader's task, ends by its own cancellation.
                for _ in range(TURNS_TO_END):
                    await asyncio.sleep(0)
            while pending := [future for future in pending if not future.done()]:
                await asyncio.wait(pending)
        finally:
            for future in self.leftovers:
                if future.done() and not future.cancelled():
                    future.exception()  # read, so that asyncio does not complain of it
        self.leftovers = []
        if self._core is not None:
            await self._core._end_leftovers()
        if interrupted is not None:
            raise interrupted


def _put_null(data: dict[str, Any], keys: list[str | int]) -> None:
    place: Any = data
    for key in keys[:-1]:
        place = place[key]
        if not isinstance(place, (dict, list)):
            return  # null already, further up
    place[keys[-1]] = None
