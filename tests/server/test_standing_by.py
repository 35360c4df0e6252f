"""Answers that others have made: sent on a socket that takes them, and left to its task else."""

from __future__ import annotations

import asyncio

from aiohttp import ClientSession

from app.execution.operation import Response
from app.execution.sharing import Write
from tests.server.socket_client import initialised
from tests.server.test_slow_reader import deaf_client, frame
from tests.server.world import PATIENCE, SharedSource, World

SHARED = "subscription { shared }"


async def opened(world: World, count: int) -> list[SharedSource]:
    """Returns the sources of so many subscriptions."""
    await world.sources_opened.reach(count)
    return world.shared


def write_of(source: SharedSource) -> Write:
    """Returns what a subscription left with its source."""
    assert source.standby is not None
    return source.standby.write


def answer(text: str) -> Response:
    return Response(executed=True, data={"shared": text})


async def test_an_answer_is_sent_to_each_under_its_own_id(
    http: ClientSession, url: str, world: World
) -> None:
    async with initialised(http, url) as one, initialised(http, url) as other:
        await one.subscribe("a", SHARED)
        await opened(world, 1)
        await other.subscribe("b", SHARED)
        first, second = await opened(world, 2)
        assert first.standby is not None
        assert second.standby is not None
        assert first.standby.audience is second.standby.audience
        for text in ("x", "y" * 70_000 + "é", "z"):
            response = answer(text)
            for source in (first, second):
                if not write_of(source)(response):
                    source.texts.put_nowait(text)
            assert await one.data("a") == {"shared": text}
            assert await other.data("b") == {"shared": text}
        first.texts.put_nowait("from the source")
        assert await one.data("a") == {"shared": "from the source"}
        assert await one.still_lives()


async def test_nothing_is_taken_that_would_make_the_task_wait(
    http: ClientSession, world: World
) -> None:
    subscribe = '{"id":"a","type":"subscribe","payload":{"query":"subscription{shared}"}}'
    loop = asyncio.get_running_loop()
    async with world.serve(send_timeout=0.3) as url, deaf_client(url) as deaf:
        await loop.sock_sendall(deaf, frame(subscribe))
        (source,) = await opened(world, 1)
        write = write_of(source)
        text, taken = "x" * 30_000, 0
        async with asyncio.timeout(PATIENCE):
            while write(answer(text)):
                taken += 1
                await asyncio.sleep(0)
        # Two fit into the buffer of the server, beside what the network holds.
        assert 2 <= taken < 400
        assert write(answer("x"))
        # Nobody waits for the client so far; the next event is left to the task, which does.
        source.texts.put_nowait(text)
        await world.sources_closed.reach(1)
        assert not write(answer("x"))


async def test_nothing_is_taken_for_a_client_that_has_left(
    http: ClientSession, url: str, world: World
) -> None:
    async with initialised(http, url) as client:
        await client.subscribe("a", SHARED)
        (source,) = await opened(world, 1)
    await world.sources_closed.reach(1)
    assert not write_of(source)(answer("x"))
