"""A connection whose client is gone is freed at once: neither a timer nor a cycle keeps it."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping
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
from tests.server.test_slow_reader import deaf_client, frame, read_to_the_end
from tests.server.world import PATIENCE, World

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


async def soon(is_so: Callable[[], bool]) -> None:
    """Waits until it is so, for a limited time."""
    for _ in range(int(PATIENCE / 0.05)):
        if is_so():
            return
        await asyncio.sleep(0.05)


async def fill(client: socket.socket, world: World) -> None:
    """Begins a flood that nobody reads, and waits until it stands still."""
    await asyncio.get_running_loop().sock_sendall(client, frame(FLOOD))
    await world.events_taken.reach(10)
    before = -1
    while before != world.events_taken.value:
        before = world.events_taken.value
        await asyncio.sleep(0.1)


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
        await soon(lambda: not self.alive())
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
        await fill(client, world)
        await loop.sock_sendall(client, GOODBYE)
        await world.sources_closed.reach(1)
        world.held.clear()
        await census.is_empty_soon(world)


async def test_a_client_that_says_goodbye_and_reads_the_rest_is_left_alone(
    world: World, logged: list[MutableMapping[str, Any]]
) -> None:
    loop = asyncio.get_running_loop()
    complaints: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    async with world.serve(send_timeout=1.0) as url, deaf_client(url) as client:
        await fill(client, world)
        await loop.sock_sendall(client, GOODBYE)
        await world.sources_closed.reach(1)
        await asyncio.sleep(0.1)
        assert await read_to_the_end(client) > 500_000
        await asyncio.sleep(1.2)
    assert complaints == []
    assert [line for line in logged if line["level"] == "error"] == []


async def test_a_goodbye_is_answered_though_something_takes_long_to_end(world: World) -> None:
    loop = asyncio.get_running_loop()
    query = '{"id":"a","type":"subscribe","payload":{"query":"subscription{closeLate}"}}'
    async with world.serve(close_timeout=0.2) as url, deaf_client(url) as client:
        await loop.sock_sendall(client, frame(query))
        await world.sources_opened.reach(1)
        await loop.sock_sendall(client, GOODBYE)
        received = b""
        async with asyncio.timeout(PATIENCE):
            while not received.endswith(b"\x88\x02\x03\xe8"):
                received += await loop.sock_recv(client, 1 << 16)
        assert world.sources_closed.value == 0
        world.gate.set()
        await world.sources_closed.reach(1)


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
    await soon(lambda: any(line["event"] == "request" for line in logged))
    told = [(line["event"], line.get("status")) for line in logged]
    assert told == [("operation", None), ("request", 101)]
