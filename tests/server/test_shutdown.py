"""Stopping: what is refused, what may finish, and how connections end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientConnectionError, ClientPayloadError, ClientSession, web

from app.server.lifecycle import LIFECYCLE
from app.server.run import listening, reachable_url
from tests.server.socket_client import connected, initialised
from tests.server.world import PATIENCE, World


class Stoppable:
    """A server that a test stops itself."""

    def __init__(self, url: str, stop: asyncio.Event, stopped: asyncio.Task[None]) -> None:
        self.url = url
        self._stop = stop
        self.stopped = stopped

    def begin_stop(self) -> None:
        self._stop.set()

    async def begin_drain(self) -> None:
        """Begins to stop and returns once no new connection is accepted."""
        self.begin_stop()
        with pytest.raises(ClientConnectionError):
            await ask_for_ever(self.url.replace("/graphql", "/healthz"))

    async def wait_stopped(self) -> None:
        await asyncio.wait_for(asyncio.shield(self.stopped), PATIENCE)


@asynccontextmanager
async def stoppable(world: World, **options: Any) -> AsyncIterator[Stoppable]:
    loop = asyncio.get_running_loop()
    listens: asyncio.Future[str] = loop.create_future()
    stop = asyncio.Event()

    async def run() -> None:
        async with world.serve(**options) as url:
            listens.set_result(url)
            await stop.wait()

    task = loop.create_task(run())
    async with asyncio.timeout(PATIENCE):
        url = await listens
    try:
        yield Stoppable(url, stop, task)
    finally:
        stop.set()
        await asyncio.wait_for(task, PATIENCE)


async def test_a_running_mutation_finishes_and_its_client_gets_the_answer(
    http: ClientSession, world: World
) -> None:
    async with stoppable(world) as server:
        mutation = {"query": "mutation { slowIncrement }"}
        answer = asyncio.create_task(http.post(server.url, json=mutation))
        await world.mutations_begun.reach(1)
        await server.begin_drain()
        assert not server.stopped.done()
        world.gate.set()
        async with await answer as response:
            assert (await response.json())["data"] == {"slowIncrement": 1}
        await server.wait_stopped()


async def test_a_running_mutation_on_a_socket_finishes_before_the_socket_closes_with_1012(
    http: ClientSession, world: World
) -> None:
    async with stoppable(world) as server, initialised(http, server.url) as client:
        await client.subscribe("m", "mutation { slowIncrement }")
        await world.mutations_begun.reach(1)
        await server.begin_drain()
        await client.subscribe("late", "mutation { increment }")
        assert await client.error_code("late") == "SERVER_SHUTTING_DOWN"
        world.gate.set()
        assert await client.data("m") == {"slowIncrement": 1}
        frames = [await client.socket.receive(PATIENCE) for _ in range(2)]
        assert [frame.data for frame in frames][-1] == 1012
        await server.wait_stopped()
    assert world.mutations.value == 1


async def test_sockets_close_with_1012_whatever_they_are_doing(
    http: ClientSession, world: World
) -> None:
    async with (
        stoppable(world) as server,
        initialised(http, server.url) as idle,
        connected(http, server.url) as fresh,
        initialised(http, server.url) as subscribed,
    ):
        await subscribed.subscribe("s", "subscription { oneThenWait }")
        await subscribed.data("s")
        server.begin_stop()
        for client in (idle, fresh, subscribed):
            assert await client.closed_with() == (1012, "The server is shutting down.")
        await server.wait_stopped()
    assert world.sources_closed.value == 1


async def test_an_event_stream_is_cut_without_complete_so_that_its_client_comes_back(
    http: ClientSession, world: World
) -> None:
    async with stoppable(world) as server:
        request = {"query": "subscription { oneThenWait }"}
        headers = {"Accept": "text/event-stream"}
        async with http.post(server.url, json=request, headers=headers) as response:
            await response.content.readuntil(b"\n\n")
            server.begin_stop()
            with pytest.raises(ClientPayloadError):
                await response.read()
        await server.wait_stopped()
    assert world.sources_closed.value == 1


async def test_draining_ends_event_streams_and_sockets_before_it_returns(
    http: ClientSession, url: str, world: World
) -> None:
    request = {"query": "subscription { oneThenWait }"}
    headers = {"Accept": "text/event-stream"}
    async with (
        http.post(url, json=request, headers=headers) as response,
        initialised(http, url) as client,
    ):
        await response.content.readuntil(b"\n\n")
        await client.subscribe("s", request["query"])
        await client.data("s")
        closed = asyncio.create_task(client.closed_with())
        assert world.application is not None
        await world.application[LIFECYCLE].drain(PATIENCE, PATIENCE)
        assert world.sources_closed.value == 2
        assert (await closed)[0] == 1012


async def test_a_mutation_that_takes_longer_than_the_drain_is_cancelled(
    http: ClientSession, world: World
) -> None:
    async with stoppable(world, drain_timeout=0.05) as server:
        mutation = {"query": "mutation { slowIncrement }"}
        answer = asyncio.create_task(http.post(server.url, json=mutation))
        await world.mutations_begun.reach(1)
        server.begin_stop()
        await server.wait_stopped()
        with pytest.raises(ClientConnectionError):
            await answer
    assert world.mutations.value == 0


async def test_while_draining_requests_are_refused_and_readiness_fails(
    http: ClientSession, url: str, world: World
) -> None:
    assert world.application is not None
    world.application[LIFECYCLE].begin_drain()
    async with http.get(url.replace("/graphql", "/readyz")) as response:
        assert response.status == 503
        assert (await response.json())["status"] == "draining"
    async with http.get(url.replace("/graphql", "/healthz")) as response:
        assert response.status == 200
    async with http.post(url, json={"query": "mutation { increment }"}) as response:
        assert response.status == 503
        assert response.headers["Retry-After"] == "1"
        (error,) = (await response.json())["errors"]
        assert error["extensions"]["code"] == "SERVER_SHUTTING_DOWN"
    async with http.get(url, headers={"Upgrade": "websocket"}) as response:
        assert response.status == 503
    assert world.mutations.value == 0


async def test_no_connection_is_accepted_after_the_stop(http: ClientSession, world: World) -> None:
    async with stoppable(world) as server:
        server.begin_stop()
        await server.wait_stopped()
        with pytest.raises(ClientConnectionError):
            await http.post(server.url, json={"query": "{ hello }"})


async def test_no_connection_is_accepted_after_a_failure(http: ClientSession, world: World) -> None:
    with pytest.raises(ZeroDivisionError):
        async with listening(world.build(), "127.0.0.1", 0) as url:
            raise ZeroDivisionError
    with pytest.raises(ClientConnectionError):
        await http.get(url + "/healthz")


async def test_an_address_in_use_is_an_error_that_says_so(world: World) -> None:
    async with world.serve() as url:
        port = int(url.removeprefix("http://127.0.0.1:").removesuffix("/graphql"))
        with pytest.raises(OSError, match="address already in use"):
            async with listening(World().build(), "127.0.0.1", port):
                raise AssertionError("two servers listen on one address")


async def test_parts_that_close_with_the_application_are_closed_after_the_last_mutation(
    http: ClientSession, world: World
) -> None:
    order: list[str] = []
    application = world.build()

    async def close(_: web.Application) -> None:
        order.append(f"closed after {world.mutations.value} mutations")

    application.on_cleanup.append(close)
    async with listening(application, "127.0.0.1", 0) as base_url:
        mutation = {"query": "mutation { slowIncrement }"}
        answer = asyncio.create_task(http.post(base_url + "/graphql", json=mutation))
        await world.mutations_begun.reach(1)
        world.gate.set()
    assert order == ["closed after 1 mutations"]
    assert (await answer).status == 200


def test_the_url_of_a_listening_address_is_one_that_a_browser_reaches() -> None:
    assert reachable_url("127.0.0.1", 8000) == "http://127.0.0.1:8000"
    assert reachable_url("localhost", 80) == "http://localhost"
    assert reachable_url("0.0.0.0", 8000) == "http://127.0.0.1:8000"  # noqa: S104 - as bound to
    assert reachable_url("::", 8000) == "http://[::1]:8000"
    assert reachable_url("::1", 8000) == "http://[::1]:8000"
    assert reachable_url("", 8000) == "http://127.0.0.1:8000"


@asynccontextmanager
async def process() -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Runs `serve` in a process of its own, which prints its URL and each mutation begun."""
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.server.program",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert program.stdout is not None
    try:
        yield program, await line(program)
    finally:
        if program.returncode is None:
            program.kill()
        await program.wait()
        # Nothing is left in the pipe for the event loop to complain about.
        await program.stdout.read()


async def line(program: asyncio.subprocess.Process) -> str:
    assert program.stdout is not None
    return (await asyncio.wait_for(program.stdout.readline(), PATIENCE)).decode().strip()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_the_process_in_order(
    http: ClientSession, signum: signal.Signals
) -> None:
    async with process() as (program, url), initialised(http, url) as client:
        program.send_signal(signum)
        assert (await client.closed_with())[0] == 1012
        assert await asyncio.wait_for(program.wait(), PATIENCE) == 0


async def test_a_second_signal_ends_the_process_at_once(http: ClientSession) -> None:
    async with process() as (program, url):
        mutation = {"query": "mutation { slowIncrement }"}
        answer = asyncio.create_task(http.post(url, json=mutation))
        assert await line(program) == "mutation begun"
        program.send_signal(signal.SIGTERM)
        with pytest.raises(ClientConnectionError):
            # Refused connections show that the first signal has arrived.
            await ask_for_ever(url.replace("/graphql", "/healthz"))
        os.kill(program.pid, signal.SIGTERM)
        assert await asyncio.wait_for(program.wait(), PATIENCE) == -signal.SIGTERM
        with pytest.raises(ClientConnectionError):
            await answer


async def ask_for_ever(url: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            async with ClientSession() as session, session.get(url):
                pass
