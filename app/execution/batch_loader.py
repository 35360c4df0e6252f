"""A data loader: what is asked for one by one is loaded together, and remembered.

It batches, answers and fails as `strawberry.dataloader.DataLoader` does, and waits as many turns of
the event loop for further keys unless somebody knows that none will come, at less than half the
cost: a key has its future and nothing else. Unlike that one, it loads anew after a batch that
everybody had given up, and leaves nobody waiting for one whose loading was cancelled.
"""

from __future__ import annotations

from asyncio import (
    AbstractEventLoop,
    CancelledError,
    Future,
    Task,
    get_running_loop,
)
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Generic, TypeAlias, TypeVar

from app.execution.given_up import is_given_up

K = TypeVar("K")
V = TypeVar("V")

LoadKeys: TypeAlias = Callable[[list[K]], Awaitable[Mapping[K, V | Exception]]]
"""Answers many keys at once, each with a value or with the exception that it alone failed with."""


class BatchFuture(Future[V]):
    """The future of one key. Whoever waits for many of a batch may wait for the batch instead."""

    __slots__ = ("batch",)

    batch: Batch

    def cancel(self, msg: Any | None = None) -> bool:
        """Gives up the key; a batch whose keys are all given up is not loaded any further."""
        cancelled = super().cancel(msg)
        if cancelled:
            self.batch.give_up()
        return cancelled


class Batch:
    """Keys that are loaded together. Begun, it is somebody's to load; closed, it takes no more."""

    __slots__ = ("_callbacks", "_load", "_task", "begun", "closed", "futures", "wanted")

    def __init__(self, load: Callable[[Batch], Coroutine[Any, Any, None]]) -> None:
        """`load` closes a batch and answers its keys."""
        self.futures: dict[Any, BatchFuture[Any]] = {}
        self.begun = False
        self.closed = False
        self.wanted = 0
        """How many keys somebody waits for."""
        self._load = load
        self._callbacks: list[Callable[[Batch], None]] = []
        self._task: Task[None] | None = None

    def give_up(self) -> None:
        """Ends the loading once nobody wants any of the keys. Called for each, once."""
        self.wanted -= 1
        if not self.wanted and self._task is not None:
            self.closed = True
            self._task.cancel()

    def add_done_callback(self, callback: Callable[[Batch], None]) -> None:
        """Calls back once, in the turn of the event loop in which the futures' callbacks are."""
        self._callbacks.append(callback)

    def claim(self) -> bool:
        """Leaves the loading to the caller, who knows that no more keys come.

        False where it has begun. Otherwise the caller has to `begin()` or `load_here()` at once.
        """
        if self.begun:
            return False
        self.begun = True
        return True

    def begin(self, loop: AbstractEventLoop) -> None:
        """Loads the keys in a task."""
        task = self._task = loop.create_task(self._load(self))
        task.add_done_callback(self._end_task)
        if not self.wanted:
            self.closed = True
            task.cancel()

    async def load_here(self) -> None:
        """Loads the keys in the task of the caller, which spares the way to another and back.

        CancelledError only where that task is cancelled. Then the caller has to give up the futures
        that it waits for: the others' keys are loaded anew, in a task. Otherwise all are answered.
        """
        try:
            await self._load(self)
        except CancelledError:
            if is_given_up():
                self.begin(get_running_loop())
                raise
            self._end(answered=False)
        except BaseException:
            self._end(answered=False)
            raise
        else:
            self._end(answered=True)

    def _end_task(self, task: Task[None]) -> None:
        self._task = None
        self._end(answered=not task.cancelled())

    def _end(self, *, answered: bool) -> None:
        callbacks, self._callbacks = self._callbacks, []
        if not answered:
            # It may not even have begun, and nobody else will answer.
            self.closed = True
            for future in self.futures.values():
                future.cancel()
        # Futures and batch hold each other until here, and so do loader and batch: what was loaded
        # would stay until the garbage is collected.
        self.futures = {}
        self._load = _load_nothing
        for callback in callbacks:
            callback(self)


async def _load_nothing(_: Batch) -> None:
    """What a batch does that has ended."""


class BatchLoader(Generic[K, V]):
    """Loads by key, each key once; None stands for a key that the answer leaves out."""

    __slots__ = ("_batch", "_futures", "_load", "_loop")

    def __init__(self, load: LoadKeys[K, V]) -> None:
        self._load = load
        self._loop: AbstractEventLoop | None = None
        self._futures: dict[K, Future[V | None]] = {}
        self._batch: Batch | None = None

    def load(self, key: K) -> Future[V | None]:
        """Returns the future of a key's value. What a whole batch fails with, each key does."""
        known = self._futures.get(key)
        if known is not None and not known.cancelled():
            return known
        loop = self._loop
        if loop is None:
            loop = self._loop = get_running_loop()
        batch = self._batch
        if batch is None or batch.closed:
            batch = self._batch = Batch(self._answer)
            # Two turns pass before the keys are taken: one until this is called, one until its
            # task begins. Resolvers that are a turn behind their siblings still join.
            loop.call_soon(self._begin, batch, loop)
        future: BatchFuture[V | None] = BatchFuture(loop=loop)
        future.batch = batch
        batch.futures[key] = self._futures[key] = future
        batch.wanted += 1
        return future

    def prime(self, key: K, value: V) -> None:
        """Remembers a value that came with another answer, unless the key was asked for before."""
        if key not in self._futures:
            future: Future[V | None] = get_running_loop().create_future()
            future.set_result(value)
            self._futures[key] = future

    def _begin(self, batch: Batch, loop: AbstractEventLoop) -> None:
        if batch.claim():
            batch.begin(loop)

    async def _answer(self, batch: Batch) -> None:
        batch.closed = True
        futures = batch.futures
        try:
            found = await self._load(list(futures))
            for key, future in futures.items():
                if future.cancelled():
                    continue
                value = found.get(key)
                if isinstance(value, Exception):
                    future.set_exception(value)
                else:
                    future.set_result(value)
        except Exception as error:  # noqa: BLE001 - it is the answer to each key
            for future in futures.values():
                if not future.done():
                    future.set_exception(error)
