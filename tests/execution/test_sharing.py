"""One event, executed once for all subscriptions that can't be answered differently."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Hashable
from typing import cast

import pytest
import strawberry

from app.execution import sharing
from app.execution.executor import Executor
from app.execution.operation import Request, Response
from app.execution.sharing import Audience, SharedEvent, SharingSource, Standby
from app.execution.stream import ResponseStream

pytestmark = pytest.mark.usefixtures("nothing_left")

TICKS = "subscription Ticks($factor: Int = 1) { ticks { times(factor: $factor) } }"
ADA, BEA = "ada", "bea"


class Tick(SharedEvent, frozen=True, eq=False):
    """An event of one number."""

    number: int


class World:
    """What the subscriptions of a test share: the events, and what was done with them."""

    def __init__(self) -> None:
        self.events = [Tick(1), Tick(2)]
        self.executed: list[tuple[int, int]] = []
        self.renewals = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.executor = Executor(
            strawberry.Schema(Query, subscription=Subscription),
            describe_error=lambda _: None,
            report_error=lambda *_: None,
        )

    async def subscribe(
        self, query: str = TICKS, factor: int | None = None, caller: Hashable = ADA
    ) -> AsyncGenerator[Response]:
        """Opens a subscription."""
        request = Request(query, None if factor is None else {"factor": factor})
        prepared = self.executor.prepare(request)
        assert not isinstance(prepared, Response), prepared
        stream = await self.executor.subscribe(
            prepared, request, self, renew=self.renew, caller=caller
        )
        assert not isinstance(stream, Response), stream
        return stream

    def renew(self) -> None:
        """Counts."""
        self.renewals += 1


Info = strawberry.Info[World, None]


@strawberry.type
class Ticked:
    @strawberry.field
    async def times(self, info: Info, tick: strawberry.Parent[Tick], factor: int) -> int:
        info.context.executed.append((tick.number, factor))
        await info.context.gate.wait()
        return tick.number * factor

    @classmethod
    def is_type_of(cls, tick: object, _: object) -> bool:
        return isinstance(tick, Tick)


@strawberry.type
class Query:
    ready: bool = True


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self, info: Info) -> AsyncGenerator[Ticked]:
        for event in info.context.events:
            yield cast("Ticked", event)


@pytest.fixture
async def world() -> World:
    return World()


async def read(stream: AsyncGenerator[Response]) -> list[object]:
    """Returns all numbers that a subscription is told."""
    return [(response.data or {})["ticks"]["times"] async for response in stream]


async def test_equal_subscriptions_of_one_caller_cost_one_execution_an_event(world: World) -> None:
    streams = [await world.subscribe() for _ in range(5)]
    assert await asyncio.gather(*[read(stream) for stream in streams]) == [[1, 2]] * 5
    assert world.executed == [(1, 1), (2, 1)]
    assert world.renewals == 2


async def test_they_are_given_one_response_which_is_encoded_once(world: World) -> None:
    first, second = await world.subscribe(), await world.subscribe()
    one, other = await anext(first), await anext(second)
    assert one.encoded() is other.encoded()
    await first.aclose()
    await second.aclose()


@pytest.mark.parametrize(
    ("query", "factor", "caller"),
    [
        (TICKS, 1, ADA),
        (TICKS, 3, ADA),
        (TICKS, None, BEA),
        (TICKS.replace("times(", "times: times("), None, ADA),
    ],
)
async def test_other_variables_callers_and_documents_are_answered_apart(
    world: World, query: str, factor: int | None, caller: str
) -> None:
    usual, other = await world.subscribe(), await world.subscribe(query, factor, caller)
    assert await read(usual) == [1, 2]
    assert await read(other) == [factor or 1, 2 * (factor or 1)]
    assert len(world.executed) == 4


async def test_without_a_caller_nothing_is_shared(world: World) -> None:
    for _ in range(2):
        assert await read(await world.subscribe(caller=None)) == [1, 2]
    assert len(world.executed) == 4


async def test_an_answer_under_way_is_waited_for(world: World) -> None:
    world.gate.clear()
    streams = [await world.subscribe() for _ in range(3)]
    reading = [asyncio.ensure_future(anext(stream)) for stream in streams]
    await turns()
    world.gate.set()
    assert len({id(response) for response in await asyncio.gather(*reading)}) == 1
    assert world.executed == [(1, 1)]
    for stream in streams:
        await stream.aclose()


async def test_whoever_executes_and_leaves_leaves_it_to_another(world: World) -> None:
    world.gate.clear()
    leaving, staying = await world.subscribe(), await world.subscribe()
    first = asyncio.ensure_future(anext(leaving))
    await turns()
    second = asyncio.ensure_future(anext(staying))
    await turns()
    first.cancel()
    await asyncio.wait([first])
    world.gate.set()
    assert (await second).data == {"ticks": {"times": 1}}
    assert world.executed == [(1, 1), (1, 1)]
    await leaving.aclose()
    await staying.aclose()


async def test_an_answer_of_the_past_is_made_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await read(await world.subscribe()) == [1, 2]
    monkeypatch.setattr(sharing, "SHARED_SECONDS", -1.0)
    assert await read(await world.subscribe()) == [1, 2]
    assert len(world.executed) == 4


async def test_what_is_cleared_is_made_anew(world: World) -> None:
    stays = await world.subscribe()
    assert await read(await world.subscribe()) == [1, 2]
    for event in world.events:
        event.answers.clear()
    assert await read(stays) == [1, 2]
    assert len(world.executed) == 4


@pytest.mark.parametrize("audience", [Audience(), None])
async def test_a_stream_stands_by_where_its_source_can_and_others_are_answered_alike(
    audience: Audience | None,
) -> None:
    async def respond(_: object) -> Response:
        raise AssertionError("there was no event")

    for source in (Kept(), one_tick()):
        stream = ResponseStream(
            source,
            respond=respond,
            respond_to_failure=lambda _: Response(executed=True),
            report_failure=lambda _: None,
            audience=audience,
        )
        stream.stand_by(never)
        if isinstance(source, Kept):
            assert source.standbys == ([] if audience is None else [Standby(audience, never)])
        await stream.aclose()


def never(_: Response) -> bool:
    """Takes nothing."""
    return False


async def one_tick() -> AsyncGenerator[Tick]:
    """A source that has everybody woken."""
    yield Tick(1)


class Kept(SharingSource[Tick]):
    """A source that keeps what stands by, and gives nothing out."""

    def __init__(self) -> None:
        self.standbys: list[Standby] = []

    def stand_by(self, standby: Standby) -> None:
        self.standbys.append(standby)

    async def asend(self, value: None) -> Tick:
        raise NotImplementedError

    async def athrow(self, *_: object) -> Tick:
        raise NotImplementedError

    async def aclose(self) -> None:
        pass


async def test_an_audience_is_forgotten_with_its_last_subscription(world: World) -> None:
    first = await world.subscribe()
    audiences = world.executor._audiences._known
    assert len(audiences) == 1
    await first.aclose()
    del first
    assert len(audiences) == 0


async def turns() -> None:
    """Lets the event loop turn a few times."""
    for _ in range(5):
        await asyncio.sleep(0)
