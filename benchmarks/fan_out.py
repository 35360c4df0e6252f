"""One session, many subscribers: how fast its events reach all of them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import aiohttp
import orjson

from benchmarks.http_connection import HttpConnection
from benchmarks.load import quantiles
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

    async def subscriber(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect(
            f"http://{host}:{port}/graphql", protocols=("graphql-transport-ws",)
        ) as socket:
            await socket.send_str('{"type":"connection_init"}')
            await socket.receive()
            payload = {"query": _SUBSCRIBE, "variables": {"session": session}}
            await socket.send_str(
                orjson.dumps({"id": "1", "type": "subscribe", "payload": payload}).decode()
            )
            got = 0
            async for frame in socket:
                arrived = time.perf_counter()
                event = check(orjson.dumps(orjson.loads(frame.data)["payload"]))["data"]
                event = event["sessionEvents"]
                if event["__typename"] == "CaughtUp":
                    watching.release()
                elif event["__typename"] == "MessageAdded":
                    times.append(arrived - sent[event["message"]["text"]])
                    got += 1
                    if got == messages:
                        return

    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client,
        HttpConnection(host, port) as connection,
    ):
        tasks = [asyncio.create_task(subscriber(client)) for _ in range(subscribers)]
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
        await asyncio.wait_for(asyncio.gather(*tasks), 120)
        took = time.perf_counter() - start
    return Delivered(len(times) / took, *quantiles(times), len(times))
