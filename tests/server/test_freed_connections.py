"""A connection whose client is gone is freed at once: neither a timer nor a cycle keeps it."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator, MutableMapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import ClientSession, web

from app.execution.running import Run
from app.execution.stream import ResponseStream
from app.server.connection import Connection
from app.server.socket_sender import SocketSender
from app.server.websocket import SocketSession
from tests.server.socket_client import initialised
from tests.server.test_slow_reader import deaf_client, frame
from tests.server.world import World

SOCKETS = 5
OF_A_CONNECTION = (
    Connection,
    ResponseStream,
    Run,
    SocketSender,
    SocketSession,
    web.Request,
    web.WebSocketResponse,
)
SUBSCRIBE = '{"id":"a","type":"subscribe","payload":{"query":"subscription{shared}"}}'
GOODBYE = b"\x88\x80" + bytes(4)
FLOOD = '{"id":"a","type":"subscribe","payload":{"query":"subscription{flood(size:50000)}"}}'
SLOW = '{"id":"a","type":"subscribe","payload":{"query":"{slow}"}}'


class Census:
    """What of connections is alive, and was not when the test began."""

    def __init__(self) -> None:
        self._before = self._count()

    def alive(self) -> Counter[type]:
        return self._count() - self._before

    async def is_empty_soon(self, world: World) -> None:
        # What the tests' own world keeps.
        world.shared.clear()
        world.contexts.clear()
        for _ in range(50):
            if not self.alive():
                break
            await asyncio.sleep(0.05)
        assert self.alive() == Counter()

    def _count(self) -> Counter[type]:
        kinds = map(type, gc.get_objects())
        return Counter(kind for kind in kinds if issubclass(kind, OF_A_CONNECTION))


@pytest.fixture
def census() -> Iterator[Census]:
    """A census without garbage collections."""
    gc.collect()
    gc.disable()
    yield Census()
    gc.enable()


@pytest.mark.parametrize("subscribes", [False, True])
async def test_nothing_of_a_socket_outlives_a_client_that_says_goodbye(
    world: World, http: ClientSession, census: Census, subscribes: bool
) -> None:
    async with world.serve(heartbeat=3600) as url:
        async with AsyncExitStack() as stack:
            for number in range(SOCKETS):
                client = await stack.enter_async_context(initialised(http, url))
                if subscribes:
                    await client.subscribe("a", "subscription { shared }")
                    await world.sources_opened.reach(number + 1)
            assert census.alive()[SocketSession] == SOCKETS
        await census.is_empty_soon(world)


@pytest.mark.parametrize("subscribes", [False, True])
async def test_nothing_of_a_socket_outlives_a_client_that_vanishes(
    world: World, census: Census, subscribes: bool
) -> None:
    async with world.serve(heartbeat=3600) as url:
        async with AsyncExitStack() as stack:
            for number in range(SOCKETS):
                client = await stack.enter_async_context(deaf_client(url))
                if subscribes:
                    await asyncio.get_running_loop().sock_sendall(client, frame(SUBSCRIBE))
                    await world.sources_opened.reach(number + 1)
            assert census.alive()[SocketSession] == SOCKETS
        await census.is_empty_soon(world)


async def test_nothing_of_a_socket_outlives_its_close_by_the_server(
    world: World, http: ClientSession, census: Census
) -> None:
    async with world.serve(heartbeat=3600) as url:
        for _ in range(SOCKETS):
            async with initialised(http, url) as client:
                await client.socket.send_str("nonsense")
                assert (await client.closed_with())[0] == 4400
        await census.is_empty_soon(world)


async def test_nothing_of_a_socket_outlives_a_client_that_vanishes_during_a_query(
    world: World, census: Census
) -> None:
    async with world.serve(heartbeat=3600) as url:
        async with AsyncExitStack() as stack:
            for number in range(SOCKETS):
                client = await stack.enter_async_context(deaf_client(url))
                await asyncio.get_running_loop().sock_sendall(client, frame(SLOW))
                await world.waiting.reach(number + 1)
        await census.is_empty_soon(world)


async def test_nothing_of_a_socket_outlives_its_close_for_what_is_no_text(
    world: World, census: Census
) -> None:
    no_text = bytearray(frame("a"))
    no_text[-1] ^= ord("a") ^ 0xFF
    async with world.serve(heartbeat=3600) as url:
        async with AsyncExitStack() as stack:
            for _ in range(SOCKETS):
                client = await stack.enter_async_context(deaf_client(url))
                await asyncio.get_running_loop().sock_sendall(client, no_text)
        await census.is_empty_soon(world)


async def test_a_client_that_says_goodbye_and_leaves_the_rest_unread_is_cut_off(
    world: World, census: Census
) -> None:
    loop = asyncio.get_running_loop()
    async with (
        world.serve(heartbeat=3600, send_timeout=1.0) as url,
        deaf_client(url) as client,
    ):
        await loop.sock_sendall(client, frame(FLOOD))
        await world.events_taken.reach(10)
        await asyncio.sleep(0.2)
        await loop.sock_sendall(client, GOODBYE)
        await world.sources_closed.reach(1)
        world.held.clear()
        await census.is_empty_soon(world)


@pytest.mark.parametrize("pipelined", [False, True])
async def test_nothing_of_a_request_outlives_a_client_that_vanishes(
    world: World, census: Census, pipelined: bool
) -> None:
    async with world.serve() as url:
        host, port = url.removeprefix("http://").split("/")[0].split(":")
        head = f"POST /graphql HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 21\r\n"
        head += "Content-Type: application/json\r\n\r\n"
        slow = (head + '{"query":"{  slow }"}').encode()
        for number in range(SOCKETS):
            reader, writer = await asyncio.open_connection(host, int(port))
            # From the second on, a head that is known.
            writer.write((head + '{"query":"{ hello }"}').encode())
            await reader.readuntil(b"\r\n\r\n")
            writer.write(slow * 2 if pipelined else slow)
            await world.waiting.reach(number + 1)
            writer.transport.abort()
        await census.is_empty_soon(world)


async def test_a_goodbye_ends_what_runs_and_is_no_request_that_was_broken_off(
    http: ClientSession, url: str, world: World, logged: list[MutableMapping[str, Any]]
) -> None:
    async with initialised(http, url) as client:
        await client.subscribe("a", "subscription { shared }")
        await world.sources_opened.reach(1)
    await world.sources_closed.reach(1)
    for _ in range(50):
        if any(line["event"] == "request" for line in logged):
            break
        await asyncio.sleep(0.05)
    told = [(line["event"], line.get("status")) for line in logged]
    assert told == [("operation", None), ("request", 101)]
