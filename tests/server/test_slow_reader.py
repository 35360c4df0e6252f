"""A WebSocket client that does not read: cut off, and nobody else waits for it."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession

from tests.server.socket_client import initialised
from tests.server.world import PATIENCE, World


def frame(text: str) -> bytes:
    """Returns a masked text frame (RFC 6455, 5.2) of up to 65,535 bytes."""
    data = text.encode()
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
    return b"\x81" + bytes([0x80 | 126]) + len(data).to_bytes(2, "big") + mask + masked


@asynccontextmanager
async def deaf_client(url: str) -> AsyncIterator[socket.socket]:
    """Opens a socket by hand, with a small buffer, whose received bytes nobody takes."""
    loop = asyncio.get_running_loop()
    host, port = url.removeprefix("http://").split("/")[0].split(":")
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        await loop.sock_connect(client, (host, int(port)))
        key = base64.b64encode(os.urandom(16)).decode()
        handshake = (
            f"GET /graphql HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        )
        await loop.sock_sendall(client, handshake.encode())
        async with asyncio.timeout(PATIENCE):
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                answer += await loop.sock_recv(client, 1)
        assert b"101 Switching Protocols" in answer
        await loop.sock_sendall(client, frame('{"type": "connection_init"}'))
        yield client


async def read_to_the_end(client: socket.socket) -> int:
    received = 0
    async with asyncio.timeout(PATIENCE):
        while data := await asyncio.get_running_loop().sock_recv(client, 1 << 20):
            received += len(data)
    return received


@pytest.mark.parametrize("operations", [1, 5])
async def test_a_client_that_never_reads_is_cut_off_and_all_its_operations_end(
    http: ClientSession, world: World, operations: int
) -> None:
    flood = '{"id":"%d","type":"subscribe","payload":{"query":"subscription{flood(size:50000)}"}}'
    async with (
        world.serve(send_timeout=0.3) as url,
        initialised(http, url) as other,
        deaf_client(url) as deaf,
    ):
        for number in range(operations):
            await asyncio.get_running_loop().sock_sendall(deaf, frame(flood % number))
        await world.sources_opened.reach(operations)
        # While the deaf one is waited for, others are served.
        async with asyncio.timeout(PATIENCE):
            while world.sources_closed.value == 0:
                assert await other.still_lives()
        await world.sources_closed.reach(operations)
        assert await other.still_lives()
        # What was produced is what the buffers hold, not what a client might once read.
        assert world.events_taken.value < 400
        # The connection is gone now, unsent data with it: closed instead of aborted, it would
        # stay until the client had read everything.
        received = await read_to_the_end(deaf)
        assert 0 < received < world.events_taken.value * 50_000


async def test_completing_one_waiting_operation_leaves_the_others_waiting(
    http: ClientSession, world: World
) -> None:
    flood = '{"id":"%s","type":"subscribe","payload":{"query":"subscription{flood(size:50000)}"}}'
    loop = asyncio.get_running_loop()
    async with world.serve(send_timeout=PATIENCE) as url, deaf_client(url) as client:
        await loop.sock_sendall(client, frame(flood % "a") + frame(flood % "b"))
        await world.sources_opened.reach(2)
        await loop.sock_sendall(client, frame('{"id": "a", "type": "complete"}'))
        await world.sources_closed.reach(1)
        taken = world.events_taken.value
        # The client reads again, and the other operation goes on.
        async with asyncio.timeout(PATIENCE):
            while world.events_taken.value < taken + 200:
                assert await loop.sock_recv(client, 1 << 20)
        assert world.sources_closed.value == 1
    await world.sources_closed.reach(2)
