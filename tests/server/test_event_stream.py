"""Subscriptions as Server-Sent Events (GraphQL over SSE, distinct connections mode)."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession

from tests.server.world import PATIENCE, World

STREAM = {"Accept": "text/event-stream"}


def next_event(data: dict[str, Any]) -> bytes:
    cost = {"cost": {"nodes": 0, "limit": 10000}}
    return b"event: next\ndata: %b\n\n" % orjson.dumps({"data": data, "extensions": cost})


COMPLETE = b"event: complete\ndata: \n\n"


@pytest.mark.parametrize("method", ["get", "post"])
async def test_a_subscription_is_a_stream_of_next_and_one_complete(
    http: ClientSession, url: str, world: World, method: str
) -> None:
    query = "subscription { countTo(last: 3) }"
    sent: dict[str, Any] = (
        {"params": {"query": query}} if method == "get" else {"json": {"query": query}}
    )
    async with http.request(method, url, headers=STREAM, **sent) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-store"
        body = await response.read()
    assert body == b"".join(next_event({"countTo": n}) for n in (1, 2, 3)) + COMPLETE
    assert world.sources_closed.value == 1
    (context,) = world.contexts
    assert context.renewals == 3


async def test_a_client_that_takes_both_gets_json_for_a_query_and_a_stream_for_a_subscription(
    http: ClientSession, url: str
) -> None:
    headers = {"Accept": "application/graphql-response+json, application/json, text/event-stream"}
    async with http.post(url, json={"query": "{ hello }"}, headers=headers) as response:
        assert response.content_type == "application/graphql-response+json"
    subscription = {"query": "subscription { countTo(last: 1) }"}
    async with http.post(url, json=subscription, headers=headers) as response:
        assert response.content_type == "text/event-stream"
        assert await response.read() == next_event({"countTo": 1}) + COMPLETE


async def test_a_query_is_a_stream_of_one_where_json_is_not_acceptable(
    http: ClientSession, url: str
) -> None:
    async with http.post(url, json={"query": "{ hello }"}, headers=STREAM) as response:
        assert response.status == 200
        assert await response.read() == next_event({"hello": "hello world"}) + COMPLETE


async def test_request_errors_come_in_the_form_that_is_acceptable(
    http: ClientSession, url: str, world: World
) -> None:
    request = {"query": "subscription { nothing }"}
    async with http.post(url, json=request, headers=STREAM) as response:
        assert response.status == 200
        event = await response.read()
    assert event.startswith(b"event: next\ndata: ")
    assert b"GRAPHQL_VALIDATION_FAILED" in event
    assert event.endswith(COMPLETE)
    both = {"Accept": "application/graphql-response+json, text/event-stream"}
    async with http.post(url, json=request, headers=both) as response:
        assert response.status == 400
        assert response.content_type == "application/graphql-response+json"
    assert world.contexts == []


async def test_a_source_that_breaks_ends_the_stream_without_internals(
    http: ClientSession, url: str, world: World
) -> None:
    request = {"query": "subscription { breaks }"}
    async with http.post(url, json=request, headers=STREAM) as response:
        body = await response.read()
    first, second, end = body.split(b"\n\n", 2)
    assert first + b"\n\n" == next_event({"breaks": 1})
    assert b"INTERNAL_ERROR" in second
    assert b"swordfish" not in body
    assert end == COMPLETE
    assert len(world.reported) == 1


async def test_an_idle_stream_is_kept_alive_by_comments(http: ClientSession, world: World) -> None:
    async with world.serve(heartbeat=0.1) as url:
        request = {"query": "subscription { oneThenWait }"}
        async with http.post(url, json=request, headers=STREAM) as response:
            received = await read_until(response, b":\n\n:\n\n")
            assert received.replace(b":\n\n", b"") == next_event({"oneThenWait": 1})
            world.gate.set()
            rest = await response.read()
    assert rest.replace(b":\n\n", b"") == next_event({"oneThenWait": 2}) + COMPLETE


async def test_a_client_that_leaves_ends_the_operation_at_once(
    http: ClientSession, url: str, world: World
) -> None:
    request = {"query": "subscription { oneThenWait }"}
    response = await http.post(url, json=request, headers=STREAM)
    await read_until(response, b"\n\n")
    left = time.monotonic()
    response.close()
    await world.sources_closed.reach(1)
    # Far below the heartbeat, which would be the next write to fail.
    assert time.monotonic() - left < 5
    assert world.options.heartbeat == 15


async def test_a_client_that_never_reads_is_cut_off(world: World) -> None:
    async with world.serve(send_timeout=0.1) as url:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            host, port = url.removeprefix("http://").split("/")[0].split(":")
            client.setblocking(False)
            await asyncio.get_running_loop().sock_connect(client, (host, int(port)))
            body = b'{"query": "subscription { flood(size: 50000) }"}'
            await asyncio.get_running_loop().sock_sendall(
                client,
                b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (len(body), body),
            )
            await world.sources_closed.reach(1)
            # Gone with all that was not sent yet: closed instead of aborted, the connection would
            # stay until the client had read everything.
            received = 0
            async with asyncio.timeout(PATIENCE):
                while data := await asyncio.get_running_loop().sock_recv(client, 1 << 20):
                    received += len(data)
            assert 0 < received < world.events_taken.value * 50_000


async def test_a_stream_ends_when_the_credentials_expire(http: ClientSession, world: World) -> None:
    world.expires_in = 0.5
    async with world.serve() as url:
        request = {"query": "subscription { oneThenWait }"}
        async with http.post(url, json=request, headers=STREAM) as response:
            assert await response.read() == next_event({"oneThenWait": 1})
    assert world.sources_closed.value == 1


async def read_until(response: Any, mark: bytes) -> bytes:
    received = b""
    async with asyncio.timeout(PATIENCE):
        while not received.endswith(mark):
            received += await response.content.readexactly(1)
    return received
