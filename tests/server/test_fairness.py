"""One client that asks for much leaves the others their turn, and leaves nothing behind."""

from __future__ import annotations

import asyncio

from aiohttp import ClientSession

from tests.server.socket_client import initialised
from tests.server.world import World

FLOOD = 500


async def test_a_socket_full_of_new_documents_lets_others_in_between(
    http: ClientSession, url: str, world: World
) -> None:
    async with initialised(http, url) as flooding:
        async with http.post(url, json={"query": "{ hello }"}):
            pass
        statistics = world.executor.statistics
        before = statistics.document_misses
        for number in range(FLOOD):
            await flooding.subscribe(str(number), f"{{ unknown{number} }}")
        async with asyncio.timeout(30), http.post(url, json={"query": "{ hello }"}) as response:
            assert response.status == 200
        assert statistics.document_misses - before < FLOOD // 2
        for number in range(FLOOD):
            assert (await flooding.receive())["id"] == str(number)


async def test_a_flood_of_new_documents_keeps_no_more_than_the_cache_may_hold(
    http: ClientSession, url: str, world: World
) -> None:
    for _ in range(2):
        async with http.post(url, json={"query": "{ hello }"}):
            pass
    documents = world.executor._documents
    async with initialised(http, url) as flooding:
        for number in range(FLOOD):
            await flooding.subscribe("q", f"{{ hello a{number}: hello }}")
            assert await flooding.data("q")
            assert (await flooding.receive())["type"] == "complete"
    assert len(documents) <= world.limits.cached_documents * 0.2 + 1
    hits = world.executor.statistics.document_hits
    async with http.post(url, json={"query": "{ hello }"}):
        pass
    assert world.executor.statistics.document_hits == hits + 1
