"""A data loader: what is asked for one by one is loaded together, and remembered.

It batches, answers and fails as `strawberry.dataloader.DataLoader` does, and waits as many turns of
the event loop for further keys, at less than half the cost: a key has its future and nothing else.
Unlike that one, it loads anew after a batch that everybody had given up.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future, Task, get_running_loop
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeAlias, TypeVar

K = TypeVar("K")
V = TypeVar("V")

LoadKeys: TypeAlias = Callable[[list[K]], Awaitable[Mapping[K, V | Exception]]]
"""Answers many keys at once, each with a value or with the exception that it alone failed with."""


class BatchLoader(Generic[K, V]):
    """Loads by key, each key once; None stands for a key that the answer leaves out."""

    __slots__ = ("_batch", "_futures", "_load", "_loop")

    def __init__(self, load: LoadKeys[K, V]) -> None:
        self._load = load
        self._loop: AbstractEventLoop | None = None
        self._futures: dict[K, Future[V | None]] = {}
        self._batch: _Batch[K, V] | None = None

    def load(self, key: K) -> Future[V | None]:
        """Returns the future of a key's value. What a whole batch fails with, each key does."""
        known = self._futures.get(key)
        if known is not None and not known.cancelled():
            return known
        loop = self._loop
        if loop is None:
            loop = self._loop = get_running_loop()
        future: Future[V | None] = loop.create_future()
        self._futures[key] = future
        batch = self._batch
        if batch is None or batch.closed:
            batch = self._batch = _Batch()
            # Two turns pass before the keys are taken: one until this is called, one until its
            # task begins. Resolvers that are a turn behind their siblings still join.
            loop.call_soon(self._begin, batch, loop)
        batch.futures[key] = future
        return future

    def prime(self, key: K, value: V) -> None:
        """Remembers a value that came with another answer, unless the key was asked for before."""
        if key not in self._futures:
            future: Future[V | None] = get_running_loop().create_future()
            future.set_result(value)
            self._futures[key] = future

    def _begin(self, batch: _Batch[K, V], loop: AbstractEventLoop) -> None:
        batch.task = loop.create_task(self._answer(batch))
        batch.watch()

    async def _answer(self, batch: _Batch[K, V]) -> None:
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
        finally:
            batch.task = None


class _Batch(Generic[K, V]):
    """Keys that are loaded together. Closed, it takes no more of them."""

    __slots__ = ("closed", "futures", "task")

    def __init__(self) -> None:
        self.futures: dict[K, Future[V | None]] = {}
        self.task: Task[None] | None = None
        self.closed = False

    def watch(self) -> None:
        """Ends the loading once everybody has given up. One future is watched at a time."""
        for future in self.futures.values():
            if not future.cancelled():
                future.add_done_callback(self._look_again)
                return
        if self.task is not None:
            self.closed = True
            self.task.cancel()

    def _look_again(self, future: Future[V | None]) -> None:
        if future.cancelled():
            self.watch()
