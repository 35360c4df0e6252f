"""Following a log: hints first, the next number only, one read for many readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from app.backends.protocol import EVERYTHING
from app.execution.sharing import Answer, Audience
from app.live.brokers.in_process import InProcessBroker
from app.live.feed import TAIL_EVENTS
from app.live.feeds import keep_looking
from app.live.follow import follow
from app.live.followed import CaughtUp, Followed, Gap, Logged
from app.model.errors import NotFound, StoreUnavailable
from app.model.events import EventKind
from app.model.identifiers import Epoch, Position, Revision, SessionId
from tests.live.world import MINE, SESSION, World


@pytest.fixture
def world() -> World:
    return World()


async def take(reader: AsyncGenerator[Followed], count: int) -> list[int | str]:
    """Returns the numbers of the next events, and the names of what is no event."""
    told: list[int | str] = []
    for _ in range(count):
        item = await asyncio.wait_for(anext(reader), 5)
        told.append(item.event.revision if isinstance(item, Logged) else type(item).__name__)
    return told


async def test_the_past_comes_first_then_caught_up_once_then_what_happens(world: World) -> None:
    for _ in range(24):
        world.write()
    reader = world.follow(0)
    assert await take(reader, 26) == [*range(1, 26), "CaughtUp"]
    world.write()
    world.write()
    assert await take(reader, 2) == [26, 27]
    await reader.aclose()


async def test_a_write_between_the_hint_and_the_read_is_told_once(world: World) -> None:
    world.log.gate.clear()
    reader = world.follow(1)
    first = asyncio.ensure_future(anext(reader))
    await world.log.reading.wait()
    world.write()
    world.log.gate.set()
    item = await first
    assert isinstance(item, Logged)
    assert item.event.revision == 2
    assert await take(reader, 1) == ["CaughtUp"]
    world.write()
    assert await take(reader, 1) == [3]
    await reader.aclose()


async def test_late_repeated_and_disordered_hints_change_nothing(world: World) -> None:
    reader = world.follow(1)
    assert await take(reader, 1) == ["CaughtUp"]
    for _ in range(3):
        world.log.append(SESSION)
    for revision in (4, 2, 4, 3, 1):
        world.broker.ring(SESSION, Revision(revision))
    assert await take(reader, 3) == [2, 3, 4]
    world.write()
    assert await take(reader, 1) == [5]
    await reader.aclose()


async def test_a_hint_of_what_is_not_there_costs_one_read_and_no_more(world: World) -> None:
    reader = world.follow(1)
    assert await take(reader, 1) == ["CaughtUp"]
    reads = len(world.log.reads)
    world.log.reading.clear()
    waiting = asyncio.ensure_future(anext(reader))
    world.broker.ring(SESSION, Revision(99))
    await world.log.reading.wait()
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(world.log.reads) == reads + 1
    assert not waiting.done()
    world.write()
    await waiting
    await reader.aclose()


async def test_two_hundred_readers_cost_one_read_an_event(world: World) -> None:
    readers = [world.follow(1) for _ in range(200)]
    assert await asyncio.gather(*[take(reader, 1) for reader in readers]) == [["CaughtUp"]] * 200
    assert len(world.log.reads) == 1
    for number in range(2, 7):
        nexts = [asyncio.ensure_future(take(reader, 1)) for reader in readers]
        await asyncio.sleep(0)
        world.write()
        assert await asyncio.gather(*nexts) == [[number]] * 200
        assert len(world.log.reads) == number
    for reader in readers:
        await reader.aclose()


async def test_readers_are_told_an_event_as_one_object(world: World) -> None:
    readers = [world.follow(1) for _ in range(3)]
    assert [await take(reader, 1) for reader in readers] == [["CaughtUp"]] * 3
    nexts = [asyncio.ensure_future(anext(reader)) for reader in readers]
    await asyncio.sleep(0)
    world.write()
    first, *others = await asyncio.gather(*nexts)
    assert isinstance(first, Logged)
    assert all(other is first for other in others)
    for reader in readers:
        await reader.aclose()


async def test_answers_to_an_event_are_dropped_when_the_log_goes_on(world: World) -> None:
    reader = world.follow(1)
    assert await take(reader, 1) == ["CaughtUp"]
    world.write()
    told = await anext(reader)
    assert isinstance(told, Logged)
    told.answers[Audience()] = Answer()
    world.write()
    assert told.answers == {}
    await reader.aclose()


async def test_who_is_woken_to_read_and_leaves_leaves_the_reading_to_another(
    world: World,
) -> None:
    leaving, staying = world.follow(1), world.follow(1)
    assert await take(leaving, 1) == await take(staying, 1) == ["CaughtUp"]
    first = asyncio.ensure_future(anext(leaving))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(take(staying, 1))
    await asyncio.sleep(0)
    world.write()
    first.cancel()
    assert await second == [2]
    with pytest.raises(asyncio.CancelledError):
        await first
    await staying.aclose()


async def test_what_a_new_reader_finds_at_the_end_wakes_those_who_wait(world: World) -> None:
    waiting = world.follow(1)
    assert await take(waiting, 1) == ["CaughtUp"]
    told = asyncio.ensure_future(take(waiting, 1))
    await asyncio.sleep(0)
    world.log.append(SESSION)
    newcomer = world.follow()
    assert await take(newcomer, 1) == ["CaughtUp"]
    assert await told == [2]
    await waiting.aclose()
    await newcomer.aclose()


async def test_readers_that_lag_a_little_are_served_from_the_tail(world: World) -> None:
    quick, slow = world.follow(1), world.follow(1)
    assert await take(quick, 1) == await take(slow, 1) == ["CaughtUp"]
    for _ in range(5):
        world.write()
    assert await take(quick, 5) == [2, 3, 4, 5, 6]
    reads = len(world.log.reads)
    assert await take(slow, 5) == [2, 3, 4, 5, 6]
    assert len(world.log.reads) == reads
    await quick.aclose()
    await slow.aclose()


async def test_readers_that_lag_more_than_the_tail_read_the_log(world: World) -> None:
    quick, slow = world.follow(1), world.follow(1)
    assert await take(quick, 1) == await take(slow, 1) == ["CaughtUp"]
    for number in range(2, TAIL_EVENTS + 12):
        world.write()
        assert await take(quick, 1) == [number]
    assert await take(slow, TAIL_EVENTS + 10) == list(range(2, TAIL_EVENTS + 12))
    await quick.aclose()
    await slow.aclose()


async def test_what_was_taken_back_is_not_told_from_memory(world: World) -> None:
    quick, slow = world.follow(1), world.follow(1)
    assert await take(quick, 1) == await take(slow, 1) == ["CaughtUp"]
    world.write(EventKind.MESSAGE_ADDED)
    assert await take(quick, 1) == [2]
    world.write(EventKind.MESSAGE_DELETED)
    assert await take(quick, 1) == [3]
    reads = len(world.log.reads)
    assert await take(slow, 2) == [2, 3]
    assert len(world.log.reads) > reads
    await quick.aclose()
    await slow.aclose()


async def test_readers_of_different_scopes_never_share_a_read(world: World) -> None:
    mine, everything = world.follow(1), world.follow(1, scope=EVERYTHING)
    assert await take(mine, 1) == await take(everything, 1) == ["CaughtUp"]
    world.write()
    assert await take(mine, 1) == await take(everything, 1) == [2]
    assert {scope for _, scope in world.log.reads} == {MINE, EVERYTHING}
    assert world.feeds.followed == 2
    await mine.aclose()
    await everything.aclose()
    assert world.feeds.followed == 0


@pytest.mark.parametrize(("epoch", "after"), [("other", 1), ("e", 99)])
async def test_a_position_that_is_not_of_this_log_is_a_gap(
    world: World, epoch: str, after: int
) -> None:
    reader = world.follow(after, epoch=epoch)
    gap = await anext(reader)
    assert gap == Gap(SESSION, Position(Epoch("e"), Revision(1)))
    assert await anext(reader) == CaughtUp(SESSION, Position(Epoch("e"), Revision(1)))
    world.write()
    assert await take(reader, 1) == [2]
    await reader.aclose()


async def test_a_log_that_begins_anew_is_a_gap_for_its_readers(world: World) -> None:
    reader = world.follow(1)
    assert await take(reader, 1) == ["CaughtUp"]
    world.log.create(SESSION, "restored")
    await world.feeds.look()
    assert await take(reader, 1) == ["Gap"]
    world.write()
    assert await take(reader, 1) == [2]
    await reader.aclose()


async def test_a_deletion_ends_it_from_any_position(world: World) -> None:
    for _ in range(5):
        world.write()
    live = world.follow()
    assert await take(live, 1) == ["CaughtUp"]
    world.write(EventKind.SESSION_DELETED)
    for reader in (live, world.follow(2), world.follow(), world.follow(7)):
        item = await anext(reader)
        assert isinstance(item, Logged)
        assert item.event.kind is EventKind.SESSION_DELETED
        assert item.position == Position(Epoch("e"), Revision(7))
        assert await anext(reader, None) is None
    assert world.feeds.followed == 0


async def test_a_session_that_is_not_there_is_not_found(world: World) -> None:
    for after in (None, Position(Epoch("e"), Revision(0))):
        reader = follow(world.feeds, SessionId("none"), MINE, after)
        with pytest.raises(NotFound):
            await anext(reader)
    assert world.feeds.followed == 0


async def test_a_reader_that_leaves_during_its_read_leaves_the_others_theirs(
    world: World,
) -> None:
    world.log.gate.clear()
    leaving, staying = world.follow(0), world.follow(0)
    first = asyncio.ensure_future(anext(leaving))
    await world.log.reading.wait()
    second = asyncio.ensure_future(anext(staying))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    world.log.gate.set()
    item = await asyncio.wait_for(second, 5)
    assert isinstance(item, Logged)
    assert item.event.revision == 1
    await staying.aclose()


async def test_a_read_that_fails_ends_its_readers_with_the_error(world: World) -> None:
    world.log.failure = StoreUnavailable("away")
    reader = world.follow(0)
    with pytest.raises(StoreUnavailable):
        await anext(reader)
    world.log.failure = None
    reader = world.follow(0)
    assert await take(reader, 2) == [1, "CaughtUp"]
    await reader.aclose()


async def test_what_another_process_writes_is_found_by_one_look_for_all(world: World) -> None:
    others = [SessionId(f"s{number}") for number in range(20)]
    for session_id in others:
        world.log.create(session_id)
    start = Position(Epoch("e"), Revision(1))
    readers = [follow(world.feeds, session_id, MINE, start) for session_id in others]
    for reader in readers:
        assert await take(reader, 1) == ["CaughtUp"]
    for session_id in others[:3]:
        world.log.append(session_id)
    reads = len(world.log.reads)
    await world.feeds.look()
    ((looked, scope),) = world.log.reads[reads:]
    assert {read.session_id for read in looked} == set(others)
    assert scope == EVERYTHING
    for reader in readers[:3]:
        assert await take(reader, 1) == [2]
    assert len(world.log.reads) == reads + 4
    for reader in readers:
        await reader.aclose()
    await world.feeds.look()
    assert len(world.log.reads) == reads + 4


async def test_looking_goes_on_after_a_failure(world: World) -> None:
    reported: list[BaseException] = []
    failed = asyncio.Event()

    def report(error: BaseException) -> None:
        reported.append(error)
        world.log.failure = None
        failed.set()

    reader = world.follow(1)
    assert await take(reader, 1) == ["CaughtUp"]
    world.log.failure = StoreUnavailable("away")
    async with keep_looking(world.feeds, 0.001, report):
        await asyncio.wait_for(failed.wait(), 5)
        world.log.append(SESSION)
        assert await take(reader, 1) == [2]
    assert [type(error) for error in reported] == [StoreUnavailable]
    await reader.aclose()


async def test_nobody_hears_of_other_sessions_or_after_leaving() -> None:
    broker = InProcessBroker()
    heard: list[int] = []
    with broker.follow(SESSION, heard.append):
        broker.ring(SESSION, Revision(1))
        broker.ring(SessionId("other"), Revision(2))
    broker.ring(SESSION, Revision(3))
    await broker.close()
    await broker.close()
    assert heard == [1]
