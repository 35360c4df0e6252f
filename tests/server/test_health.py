"""`/healthz` and `/readyz`."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest
from aiohttp import ClientSession
from yarl import URL

from app.server.parts import Readiness
from tests.server.world import World


async def test_a_living_process_is_healthy_and_a_working_store_is_ready(
    http: ClientSession, url: str
) -> None:
    for path, body in (
        ("/healthz", {"status": "ok"}),
        ("/readyz", {"status": "ready", "detail": "The store answers."}),
    ):
        async with http.get(url.replace("/graphql", path)) as response:
            assert response.status == 200
            assert response.headers["Cache-Control"] == "no-store"
            assert await response.json() == body


async def test_a_store_that_does_not_work_is_unready_while_the_process_is_healthy(
    http: ClientSession, url: str, world: World
) -> None:
    world.readiness = Readiness(ok=False, detail="The store is being migrated.")
    async with http.get(url.replace("/graphql", "/readyz")) as response:
        assert response.status == 503
        assert await response.json() == {
            "status": "unavailable",
            "detail": "The store is being migrated.",
        }
    async with http.get(url.replace("/graphql", "/healthz")) as response:
        assert response.status == 200


async def test_a_failing_check_is_unready_without_internals(
    http: ClientSession, url: str, world: World
) -> None:
    world.readiness = RuntimeError("cannot open /var/lib/secret.db")
    async with http.get(url.replace("/graphql", "/readyz")) as response:
        assert response.status == 503
        assert await response.json() == {
            "status": "unavailable",
            "detail": "The store can't be reached.",
        }


async def test_a_store_that_does_not_answer_is_unready(
    http: ClientSession, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never() -> Readiness:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets that event")

    monkeypatch.setattr(world, "ready", never)
    async with (
        world.serve(ready_timeout=0.01) as url,
        http.get(url.replace("/graphql", "/readyz")) as response,
    ):
        assert response.status == 503
        assert (await response.json())["detail"] == "The store does not answer."


async def test_probes_are_answered_under_any_host_name(http: ClientSession, url: str) -> None:
    for path in ("/healthz", "/readyz"):
        headers = {"Host": "pod-7.internal"}
        async with http.get(url.replace("/graphql", path), headers=headers) as response:
            assert response.status == 200


async def test_probes_take_no_other_method(http: ClientSession, url: str) -> None:
    async with http.post(url.replace("/graphql", "/readyz")) as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET, HEAD"


async def test_other_methods_than_reading_are_refused_and_told_which_are_not(
    http: ClientSession, url: str, logged: list[MutableMapping[str, Any]]
) -> None:
    async with http.post(url.replace("/graphql", "/healthz")) as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET, HEAD"
        (error,) = (await response.json())["errors"]
    assert error["extensions"]["code"] == "METHOD_NOT_ALLOWED"
    (line,) = logged
    assert line["status"] == 405


async def test_head_is_answered_without_a_body(url: str) -> None:
    address = URL(url)
    head = f"HEAD /healthz HTTP/1.1\r\nHost: {address.authority}\r\n\r\n"
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        for _ in range(2):
            writer.write(head.encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"Content-Length: 15\r\n" in answer
    finally:
        writer.close()
        await writer.wait_closed()
