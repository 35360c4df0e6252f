"""Readers that stand by: written what another of their audience answered, and woken else."""

from __future__ import annotations

import asyncio
import random
from functools import partial

import pytest

from app.execution.operation import Response
from app.execution.sharing import Audience, Standby
from app.live.followed import CaughtUp, Logged
from app.model.events import EventKind
from app.model.identifiers import Revision
from tests.live.subscribers import Answering, Subscriber, leave, settle, subscribers, told
from tests.live.world import SESSION


@pytest.fixture
def world() -> Answering:
    return Answering()


async def test_one_is_woken_and_the_others_are_written_its_answer(world: Answering) -> None:
    audience = Audience()
    all_ = await subscribers(world, *[audience] * 20)
    reads = len(world.log.reads)
    for number in (2, 3, 4):
        world.write()
        await settle()
        assert told(all_) == [list(range(2, number + 1))] * 20
        assert sum(subscriber.woken for subscriber in all_) == number - 1
    assert world.made == [2, 3, 4]
    assert len(world.log.reads) == reads + 3
    await leave(*all_)
    assert world.feeds.followed == 0


async def test_several_events_at_once_are_written_in_order(world: Answering) -> None:
    audience = Audience()
    all_ = await subscribers(world, *[audience] * 5)
    for _ in range(4):
        world.log.append(SESSION)
    world.write()
    await settle()
    assert told(all_) == [[2, 3, 4, 5, 6]] * 5
    assert world.made == [2, 3, 4, 5, 6]
    await leave(*all_)


async def test_each_audience_answers_once(world: Answering) -> None:
    one, other = Audience(), Audience()
    all_ = await subscribers(world, one, other, one, other, None, one, other, None)
    world.write()
    await settle()
    assert told(all_) == [[2]] * 8
    assert [subscriber.woken for subscriber in all_] == [1, 1, 0, 0, 1, 0, 0, 1]
    assert world.made == [2] * 4
    await leave(*all_)


async def test_what_is_not_taken_comes_out_of_the_source_and_then_it_is_written_again(
    world: Answering,
) -> None:
    audience = Audience()
    first, second, third = all_ = await subscribers(world, *[audience] * 3)
    second.takes = False
    world.write()
    await settle()
    assert [subscriber.woken for subscriber in all_] == [1, 1, 0]
    second.takes = True
    for _ in range(2):
        world.write()
        await settle()
    assert told(all_) == [[2, 3, 4]] * 3
    assert world.made == [2, 3, 4]
    await leave(first, second, third)


async def test_one_that_stalls_holds_up_nobody_and_misses_nothing(world: Answering) -> None:
    audience = Audience()
    all_ = await subscribers(world, *[audience] * 4)
    for subscriber in all_[:2]:
        subscriber.stalled = asyncio.Event()
    for number in (2, 3, 4, 5):
        world.write()
        await settle()
        assert told(all_)[2:] == [list(range(2, number + 1))] * 2
    for subscriber in all_[:2]:
        assert subscriber.told[1:] == [2]
        assert subscriber.stalled is not None
        subscriber.stalled.set()
        subscriber.stalled = None
    await settle()
    assert told(all_) == [[2, 3, 4, 5]] * 4
    await leave(*all_)


async def test_an_answer_under_way_is_written_when_it_is_made(world: Answering) -> None:
    gate = asyncio.Event()
    world.answering = gate.wait
    audience = Audience()
    all_ = await subscribers(world, *[audience] * 10)
    world.write()
    await settle()
    assert told(all_) == [[]] * 10
    gate.set()
    await settle()
    assert told(all_) == [[2]] * 10
    assert sum(subscriber.woken for subscriber in all_) == 1
    await leave(*all_)


async def test_when_whoever_answers_leaves_another_one_does(world: Answering) -> None:
    gate = asyncio.Event()
    world.answering = gate.wait
    audience = Audience()
    all_ = await subscribers(world, *[audience] * 10)
    world.write()
    await settle()
    (answerer,) = [subscriber for subscriber in all_ if subscriber.woken]
    await answerer.leave()
    await settle()
    assert world.made == [2, 2]
    gate.set()
    await settle()
    all_.remove(answerer)
    assert told(all_) == [[2]] * 9
    assert answerer.told == ["CaughtUp"]
    await leave(*all_)


async def test_an_answer_under_way_does_not_hold_up_the_reading_of_what_comes_next(
    world: Answering,
) -> None:
    gate = asyncio.Event()

    async def answering() -> None:
        if len(world.made) != 2 and world.made[-1] == 2:
            await gate.wait()

    world.answering = answering
    slow, quick = Audience(), Audience()
    all_ = await subscribers(world, slow, slow, slow, quick, quick)
    world.write()
    await settle()
    reads = len(world.log.reads)
    world.write()
    await settle()
    assert len(world.log.reads) > reads
    assert told(all_[3:]) == [[2, 3]] * 2
    gate.set()
    await settle()
    assert told(all_) == [[2, 3]] * 5
    await leave(*all_)


async def test_a_hint_during_a_read_reaches_all_though_those_who_read_stall(
    world: Answering,
) -> None:
    audience = Audience()
    all_ = await subscribers(world, *[audience] * 4)
    for subscriber in all_[:2]:
        subscriber.stalled = asyncio.Event()
    world.log.gate.clear()
    world.write()
    await settle()
    world.broker.ring(SESSION, Revision(3))
    await settle()
    world.log.gate.set()
    await settle()
    assert told(all_) == [[2]] * 4
    world.write()
    await settle()
    assert told(all_) == [[2], [2], [2, 3], [2, 3]]
    await leave(*all_)


async def test_one_that_is_leaving_is_written_nothing_more(world: Answering) -> None:
    audience = Audience()
    all_ = await subscribers(world, *[audience] * 3)
    world.log.gate.clear()
    world.write()
    await settle()
    world.log.gate.set()
    all_[2].task.cancel()
    await settle()
    assert told(all_) == [[2], [2], []]
    await leave(*all_)
    assert world.feeds.followed == 0


async def test_a_deletion_is_given_out_and_ends_everybody(world: Answering) -> None:
    audience = Audience()
    all_ = await subscribers(world, *[audience] * 5)
    world.write(EventKind.SESSION_DELETED)
    await asyncio.wait([subscriber.task for subscriber in all_], timeout=5)
    assert told(all_) == [[2]] * 5
    assert [subscriber.woken for subscriber in all_] == [1] * 5
    assert world.feeds.followed == 0


async def test_a_log_that_begins_anew_is_a_gap_for_all(world: Answering) -> None:
    audience = Audience()
    all_ = await subscribers(world, *[audience] * 5)
    world.log.create(SESSION, "restored")
    await world.feeds.look()
    await settle()
    assert told(all_) == [["Gap"]] * 5
    world.write()
    await settle()
    assert told(all_) == [["Gap", 2]] * 5
    await leave(*all_)


async def test_an_answer_that_is_too_old_is_made_anew(
    world: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.execution.sharing.SHARED_SECONDS", -1.0)
    audience = Audience()
    all_ = await subscribers(world, *[audience] * 5)
    world.write()
    await settle()
    assert told(all_) == [[2]] * 5
    assert world.made == [2] * 5
    await leave(*all_)


async def test_an_answer_that_takes_long_is_made_once_for_all_who_wait_for_it(
    world: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.execution.sharing.SHARED_SECONDS", 0.01)
    world.answering = partial(asyncio.sleep, 0.05)
    audience = Audience()
    all_ = await subscribers(world, *[audience] * 5)
    world.write()
    for _ in range(300):
        await asyncio.sleep(0.01)
        if told(all_) == [[2]] * 5:
            break
    assert told(all_) == [[2]] * 5
    assert world.made == [2]
    await leave(*all_)


@pytest.mark.parametrize("stands_by", [True, False])
async def test_a_log_that_began_anew_is_told_of_though_a_newcomer_reads_it_first(
    world: Answering, stands_by: bool
) -> None:
    audience = Audience() if stands_by else None
    all_ = await subscribers(world, *[audience] * 3)
    for _ in range(9):
        world.write()
    await settle()
    assert [one.told[-1] for one in all_] == [10] * 3
    world.log.create(SESSION, "another")
    newcomer = world.follow()
    assert isinstance(await anext(newcomer), CaughtUp)
    await settle()
    assert [one.told[-1] for one in all_] == ["Gap"] * 3
    world.write()
    await settle()
    assert [one.told[-1] for one in all_] == [2] * 3
    await newcomer.aclose()
    await leave(*all_)


async def test_a_write_that_fails_is_reported_and_nobody_is_left_waiting(
    world: Answering,
) -> None:
    reported: list[BaseException] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: reported.append(context["exception"])
    )
    audience = Audience()
    all_ = await subscribers(world, *[audience] * 5)
    failing = world.follow(1)

    def fail(_: Response) -> bool:
        raise RuntimeError("a bug")

    failing.stand_by(Standby(audience, fail))
    assert isinstance(await anext(failing), CaughtUp)
    waiting = asyncio.ensure_future(anext(failing))
    late = Subscriber(world, audience)
    await settle()
    world.write()
    await settle()
    assert told([*all_, late]) == [[2]] * 6
    item = await waiting
    assert isinstance(item, Logged)
    assert item.event.revision == 2
    assert [str(error) for error in reported] == ["a bug"]
    await failing.aclose()
    await leave(*all_, late)


@pytest.mark.parametrize("seed", range(40))
async def test_whatever_happens_everybody_is_told_everything_once_and_in_order(
    world: Answering, seed: int
) -> None:
    chance = random.Random(seed)
    audiences: list[Audience | None] = [Audience(), Audience(), None]

    async def answering() -> None:
        for _ in range(chance.choice((0, 0, 1, 3))):
            await asyncio.sleep(0)

    world.answering = answering
    all_ = await subscribers(world, *[chance.choice(audiences) for _ in range(12)])
    written = 1
    for _ in range(120):
        match chance.randrange(9):
            case 0 | 1 | 2:
                written = world.write()
            case 3:
                written = world.log.append(SESSION)
            case 4:
                await world.feeds.look()
            case 5:
                subscriber = chance.choice(all_)
                subscriber.takes = not subscriber.takes
            case 6:
                subscriber = chance.choice(all_)
                if subscriber.stalled is None:
                    subscriber.stalled = asyncio.Event()
                else:
                    subscriber.stalled.set()
                    subscriber.stalled = None
            case 7:
                subscriber = all_.pop(chance.randrange(len(all_)))
                subscriber.task.cancel()
                all_.append(Subscriber(world, chance.choice(audiences)))
            case _:
                for _ in range(chance.randrange(6)):
                    await asyncio.sleep(0)
    for subscriber in all_:
        if subscriber.stalled is not None:
            subscriber.stalled.set()
            subscriber.stalled = None
    written = world.write()
    for _ in range(10):
        await settle()
    for subscriber in all_:
        events = [item for item in subscriber.told if item != "CaughtUp"]
        assert events == list(range(2, written + 1))
        assert subscriber.told.count("CaughtUp") == 1
    await leave(*all_)
    assert world.feeds.followed == 0
