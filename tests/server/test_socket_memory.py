"""A socket whose client is gone is freed at once: neither a timer nor a cycle keeps it."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientSession, web

from app.execution.stream import ResponseStream
from app.server.connection import Connection
from app.server.socket_sender import SocketSender
from app.server.websocket import SocketSession
from tests.server.socket_client import initialised
from tests.server.test_slow_reader import deaf_client, frame
from tests.server.world import World

SOCKETS = 5
OF_A_SOCKET = (
    Connection,
    ResponseStream,
    SocketSender,
    SocketSession,
    web.Request,
    web.WebSocketResponse,
)
SUBSCRIBE = '{"id":"a","type":"subscribe","payload":{"query":"subscription{shared}"}}'


def alive() -> Counter[type]:
    kinds = map(type, gc.get_objects())
    return Counter(kind for kind in kinds if issubclass(kind, OF_A_SOCKET))


@pytest.fixture
def without_collections() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def all_freed(world: World) -> None:
    # What the tests' own world keeps.
    world.shared.clear()
    world.contexts.clear()
    for _ in range(200):
        if not alive():
            break
        await asyncio.sleep(0.01)
    assert alive() == Counter()


@pytest.mark.usefixtures("without_collections")
@pytest.mark.parametrize("subscribes", [False, True])
async def test_nothing_of_a_socket_outlives_a_client_that_says_goodbye(
    world: World, http: ClientSession, subscribes: bool
) -> None:
    async with world.serve() as url:
        async with AsyncExitStack() as stack:
            for number in range(SOCKETS):
                client = await stack.enter_async_context(initialised(http, url))
                if subscribes:
                    await client.subscribe("a", "subscription { shared }")
                    await world.sources_opened.reach(number + 1)
            assert alive()[SocketSession] == SOCKETS
        await all_freed(world)


@pytest.mark.usefixtures("without_collections")
@pytest.mark.parametrize("subscribes", [False, True])
async def test_nothing_of_a_socket_outlives_a_client_that_vanishes(
    world: World, subscribes: bool
) -> None:
    async with world.serve() as url:
        async with AsyncExitStack() as stack:
            for number in range(SOCKETS):
                client = await stack.enter_async_context(deaf_client(url))
                if subscribes:
                    await asyncio.get_running_loop().sock_sendall(client, frame(SUBSCRIBE))
                    await world.sources_opened.reach(number + 1)
            assert alive()[SocketSession] == SOCKETS
        await all_freed(world)
