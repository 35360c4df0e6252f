"""One session, many subscribers: how fast its events reach all of them."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

import orjson

from benchmarks.http_connection import HttpConnection
from benchmarks.load import quantiles
from benchmarks.socket_connection import SocketConnection
from benchmarks.workloads import APPEND, check

_SUBSCRIBE = """
subscription Watch($session: ID!) {
  sessionEvents(sessionId: $session) {
    __typename cursor
    ... on MessageAdded { message { id sequence role text createdAt } }
  }
}
"""


@dataclass(frozen=True, slots=True)
class Delivered:
    """Deliveries a second over all subscribers, and the times of one in milliseconds."""

    rate: float
    p50: float
    p99: float
    deliveries: int


async def fan_out(
    host: str, port: int, session: str, *, subscribers: int, messages: int, per_second: float | None
) -> Delivered:
    """Appends `messages` and waits until every subscriber has every one of them.

    At a rate of `per_second`, or, for None, each as soon as the last is acknowledged. The time of
    a delivery runs from before the append is sent until the subscriber has read the event.
    """
    times: list[float] = []
    sent: dict[str, float] = {}
    watching = asyncio.Semaphore(0)
    done = asyncio.Event()
    texts: dict[bytes, str | None] = {}
    """What each message says, which is looked into once: all subscribers are sent the same."""

    def receive(message: bytes) -> None:
        arrived = time.perf_counter()
        if message not in texts:
            texts[message] = _text_of(message)
        text = texts[message]
        if text is None:
            watching.release()
            return
        times.append(arrived - sent[text])
        if len(times) == subscribers * messages:
            done.set()

    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(HttpConnection(host, port))
        payload = {"query": _SUBSCRIBE, "variables": {"session": session}}
        for _ in range(subscribers):
            socket = await SocketConnection.connect(host, port, receive)
            stack.callback(socket.close)
            socket.send(b'{"type":"connection_init"}')
            await asyncio.wait_for(watching.acquire(), 30)
            socket.send(orjson.dumps({"id": "1", "type": "subscribe", "payload": payload}))
        for _ in range(subscribers):
            await asyncio.wait_for(watching.acquire(), 30)
        start = time.perf_counter()
        for number in range(messages):
            if per_second is not None:
                await asyncio.sleep(max(0.0, start + number / per_second - time.perf_counter()))
            text = f"message {number} at {start}"
            message = {"role": "USER", "parts": [{"text": {"text": text}}]}
            sent[text] = time.perf_counter()
            variables = {"input": {"sessionId": session, "message": message}}
            check(await connection.send(connection.encode(APPEND, variables)))
        await asyncio.wait_for(done.wait(), 120)
        took = time.perf_counter() - start
    return Delivered(len(times) / took, *quantiles(times), len(times))


def _text_of(message: bytes) -> str | None:
    """Returns the text of the message that an event tells of, None for any other event."""
    received = orjson.loads(message)
    if received["type"] != "next":
        return None
    event = check(orjson.dumps(received["payload"]))["data"]["sessionEvents"]
    return event["message"]["text"] if event["__typename"] == "MessageAdded" else None
