"""What is asked for one by one is loaded together."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Mapping
from typing import Literal

import pytest

from app.execution.batch_loader import Batch, BatchFuture, BatchLoader

BROKEN = ValueError("this key alone")


class Shelf:
    """What is loaded from; even numbers are there, and 13 breaks."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.ended: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.loader = BatchLoader(self._load)

    async def _load(self, keys: list[int]) -> Mapping[int, str | Exception]:
        self.asked.append(keys)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        if 0 in keys:
            raise RuntimeError("the whole batch")
        found: dict[int, str | Exception] = {key: f"book {key}" for key in keys if key % 2 == 0}
        if 13 in keys:
            found[13] = BROKEN
        return found


@pytest.fixture
async def shelf() -> Shelf:
    return Shelf()


async def test_keys_asked_for_at_once_are_loaded_together_and_each_once(shelf: Shelf) -> None:
    values = await asyncio.gather(*[shelf.loader.load(key) for key in (2, 4, 2)])
    assert values == ["book 2", "book 4", "book 2"]
    assert shelf.asked == [[2, 4]]


async def test_what_was_loaded_is_remembered(shelf: Shelf) -> None:
    await shelf.loader.load(2)
    assert await shelf.loader.load(2) == "book 2"
    assert shelf.asked == [[2]]


async def test_what_came_with_another_answer_is_not_loaded(shelf: Shelf) -> None:
    shelf.loader.prime(2, "book from elsewhere")
    assert await shelf.loader.load(2) == "book from elsewhere"
    asked_before = shelf.loader.load(4)
    shelf.loader.prime(4, "book from elsewhere")
    assert await asked_before == await shelf.loader.load(4) == "book 4"
    assert shelf.asked == [[4]]


async def test_a_key_a_turn_later_joins_and_one_after_the_batch_began_does_not(
    shelf: Shelf,
) -> None:
    first = shelf.loader.load(2)
    await asyncio.sleep(0)
    second = shelf.loader.load(4)
    await asyncio.gather(first, second)
    assert shelf.asked == [[2, 4]]
    await shelf.loader.load(6)
    assert shelf.asked == [[2, 4], [6]]


async def test_a_key_that_the_answer_leaves_out_is_none(shelf: Shelf) -> None:
    assert await shelf.loader.load(3) is None


async def test_a_key_fails_alone(shelf: Shelf) -> None:
    answers = await asyncio.gather(
        shelf.loader.load(2), shelf.loader.load(13), return_exceptions=True
    )
    assert list(answers) == ["book 2", BROKEN]


async def test_what_the_batch_fails_with_every_key_does(shelf: Shelf) -> None:
    answers = await asyncio.gather(
        shelf.loader.load(2), shelf.loader.load(0), return_exceptions=True
    )
    assert [str(answer) for answer in answers] == ["the whole batch"] * 2


async def test_a_load_goes_on_while_one_still_waits_for_it(shelf: Shelf) -> None:
    shelf.gate.clear()
    given_up, awaited = shelf.loader.load(2), shelf.loader.load(4)
    await turns(3)
    given_up.cancel()
    await turns(3)
    shelf.gate.set()
    assert await awaited == "book 4"
    assert shelf.ended == []


async def test_a_load_that_everybody_has_given_up_is_cancelled(shelf: Shelf) -> None:
    shelf.gate.clear()
    futures = [shelf.loader.load(2), shelf.loader.load(4)]
    await turns(3)
    for future in futures:
        future.cancel()
        await turns(2)
    assert shelf.ended == ["cancelled"]


@pytest.mark.parametrize("given_up", [False, True])
async def test_who_waits_for_the_batch_is_called_once_when_all_its_keys_are_answered(
    shelf: Shelf, given_up: bool
) -> None:
    futures = [shelf.loader.load(key) for key in (2, 13, 4)]
    assert all(isinstance(future, BatchFuture) for future in futures)
    (batch,) = {future.batch for future in futures if isinstance(future, BatchFuture)}
    called: list[tuple[Batch, bool]] = []
    batch.add_done_callback(
        lambda ended: called.append((ended, all(future.done() for future in futures)))
    )
    if given_up:
        for future in futures:
            future.cancel()
    await asyncio.wait(futures)
    await turns(3)
    assert called == [(batch, True)]
    assert all(future.done() for future in futures)
    assert isinstance(futures[1].exception() if not given_up else BROKEN, ValueError)


@pytest.mark.parametrize("turns_before", [0, 1, 2, 3])
async def test_a_key_that_was_given_up_can_be_asked_for_again(
    shelf: Shelf, turns_before: int
) -> None:
    shelf.gate.clear()
    given_up = shelf.loader.load(2)
    await turns(turns_before)
    given_up.cancel()
    await turns(1)
    again = shelf.loader.load(2)
    shelf.gate.set()
    assert await asyncio.wait_for(again, 5) == "book 2"


@pytest.mark.parametrize("here", [False, True])
async def test_what_was_loaded_is_freed_with_its_loader_and_not_by_a_collection(
    here: bool,
) -> None:
    class Book:
        pass

    async def load(keys: list[int]) -> Mapping[int, Book | Exception]:
        return {key: Book() for key in keys}

    loader = BatchLoader(load)
    future = loader.load(1)
    if here:
        assert isinstance(future, BatchFuture)
        assert future.batch.claim()
        await future.batch.load_here()
    book = await future
    assert book is not None
    known = weakref.ref(book)
    await turns(2)
    gc.disable()
    try:
        del loader, future, book
        assert known() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("all_given_up", [False, True])
async def test_a_load_whose_task_is_cancelled_goes_on_for_those_who_still_wait(
    shelf: Shelf, all_given_up: bool
) -> None:
    shelf.gate.clear()
    given_up, awaited = shelf.loader.load(2), shelf.loader.load(4)
    assert isinstance(given_up, BatchFuture)
    assert given_up.batch.claim()
    loading = asyncio.create_task(given_up.batch.load_here())
    await turns(2)
    loading.cancel()
    await turns(1)
    assert loading.cancelled()
    given_up.cancel()
    if all_given_up:
        awaited.cancel()
        await turns(3)
        assert shelf.asked == [[2, 4]]
    else:
        shelf.gate.set()
        assert await awaited == "book 4"


async def test_a_load_that_is_cancelled_in_a_task_that_is_not_gives_up_its_keys(
    shelf: Shelf,
) -> None:
    future = shelf.loader.load(2)
    shelf.gate = CancelledGate()
    assert isinstance(future, BatchFuture)
    assert future.batch.claim()
    await future.batch.load_here()
    assert future.cancelled()


class CancelledGate(asyncio.Event):
    """What whoever waits for it finds cancelled."""

    async def wait(self) -> Literal[True]:
        raise asyncio.CancelledError


async def turns(count: int) -> None:
    """Lets the event loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_batch_that_is_cancelled_leaves_nobody_waiting() -> None:
    async def load(keys: list[int]) -> dict[int, int]:
        raise asyncio.CancelledError

    loader = BatchLoader(load)
    first, second = loader.load(1), loader.load(2)
    async with asyncio.timeout(5):
        for future in (first, second):
            with pytest.raises(asyncio.CancelledError):
                await future
