"""One timer watches many runs, and each ends as with `asyncio.timeout()`."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextvars import ContextVar

import pytest

from app.execution.deadlines import Deadlines


async def stay(deadlines: Deadlines, ended: list[str] | None = None, name: str = "") -> None:
    with deadlines.begin(asyncio.get_running_loop()):
        try:
            await asyncio.Event().wait()
        finally:
            if ended is not None:
                ended.append(name)


async def test_what_takes_too_long_is_cancelled_and_times_out() -> None:
    with pytest.raises(TimeoutError):
        await stay(Deadlines(0.01))
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_each_run_has_its_own_time() -> None:
    deadlines, ended = Deadlines(0.05), list[str]()
    first = asyncio.create_task(stay(deadlines, ended, "first"))
    await asyncio.sleep(0.02)
    second = asyncio.create_task(stay(deadlines, ended, "second"))
    with pytest.raises(TimeoutError):
        await first
    assert ended == ["first"]
    with pytest.raises(TimeoutError):
        await second


async def test_what_ends_in_time_is_left_alone() -> None:
    deadlines = Deadlines(0.01)
    with deadlines.begin(asyncio.get_running_loop()) as deadline:
        pass
    with pytest.raises(TimeoutError):
        await stay(deadlines)
    assert not deadline.expired


async def test_a_cancellation_from_outside_stays_one() -> None:
    task = asyncio.create_task(stay(Deadlines(60)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_is_no_timeout_even_when_the_time_is_over() -> None:
    async def fail() -> None:
        with Deadlines(0.01).begin(asyncio.get_running_loop()):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError as error:
                raise ValueError("its own") from error

    with pytest.raises(ValueError, match="its own"):
        await fail()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


def test_the_runs_of_another_event_loop_are_watched_by_its_own_timer() -> None:
    deadlines = Deadlines(0.01)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            asyncio.run(stay(deadlines))


async def test_outside_of_a_task_there_is_nothing_to_cancel() -> None:
    loop = asyncio.get_running_loop()
    raised: asyncio.Future[BaseException] = loop.create_future()

    def begin() -> None:
        try:
            with Deadlines(1).begin(loop):
                pass
        except RuntimeError as error:
            raised.set_result(error)

    loop.call_soon(begin)
    assert "task" in str(await raised)


async def test_the_timer_keeps_no_context_of_a_request() -> None:
    class Value:
        """What a request has set."""

    variable: ContextVar[Value] = ContextVar("of a request")
    deadlines = Deadlines(60)

    async def request() -> weakref.ref[Value]:
        value = Value()
        variable.set(value)
        with deadlines.begin(asyncio.get_running_loop()):
            await asyncio.sleep(0)
        return weakref.ref(value)

    first = await asyncio.create_task(request())
    for _ in range(3):
        await asyncio.sleep(0)
    gc.collect()
    assert first() is None
