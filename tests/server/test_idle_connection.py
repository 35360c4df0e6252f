"""What a connection costs while its client asks for nothing."""

from __future__ import annotations

import gc

from aiohttp import ClientSession

LONG = 300_000
"""Bytes, by which an answer is told from everything else."""


def answers_in_memory() -> int:
    """Counts the long answers that something still holds."""
    gc.collect()
    return sum(
        isinstance(held, bytes) and len(held) > LONG and held.startswith(b"HTTP/1.1 ")
        for holder in gc.get_objects()
        for held in gc.get_referents(holder)
    )


async def test_an_idle_connection_holds_nothing_of_its_last_answer(
    http: ClientSession, url: str
) -> None:
    query = "query Greet($name: String!) { hello(name: $name) }"
    request = {"query": query, "variables": {"name": "x" * LONG}}
    async with http.post(url, json=request) as response:
        assert len(await response.read()) > LONG
    assert answers_in_memory() == 0
