"""Requests whose head came before on some connection, which are answered by a shorter way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp import web

from app.server.application import SHORT_WAY
from app.server.connection import Connection
from app.server.known_heads import LONGEST_HEAD, MOST_HEADS
from app.server.run import listening
from app.server.whole_response import WholeAnswer
from tests.server.world import PATIENCE, Tally, World

JSON = "Content-Type: application/json"


class Peer:
    """A client's side of one connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, *pieces: bytes) -> None:
        """Sends bytes at once."""
        self._writer.write(b"".join(pieces))

    async def answer(self) -> tuple[int, dict[str, str], Any]:
        """Returns status, headers and body of the next answer."""
        async with asyncio.timeout(PATIENCE):
            lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines[1:-2])
            body = await self._reader.readexactly(int(headers["Content-Length"]))
        return int(lines[0].split()[1]), headers, orjson.loads(body)

    async def ask(self, query: str, *headers: str) -> Any:
        """Sends an operation and returns the body of its answer."""
        self.send(post(query, *headers))
        return (await self.answer())[2]

    async def ended(self) -> bool:
        """Returns once the server has closed the connection: whether nothing came before."""
        async with asyncio.timeout(PATIENCE):
            return await self._reader.read() == b""

    def leave(self) -> None:
        """Closes the connection without a word."""
        self._writer.transport.abort()


def post(query: str, *headers: str) -> bytes:
    """Returns a request, which is as long for each query of up to 60 bytes."""
    body = orjson.dumps({"query": query.ljust(60)})
    lines = ("POST /graphql HTTP/1.1", "Host: localhost", JSON, *headers)
    return (
        "".join([f"{line}\r\n" for line in (*lines, f"Content-Length: {len(body)}", "")]).encode()
        + body
    )


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Peer]:
    host, port = url.removeprefix("http://").split("/")[0].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()


@asynccontextmanager
async def acquainted(world: World) -> AsyncIterator[Peer]:
    """Serves a world, to a client that has asked twice: the second time its head was known."""
    async with world.serve() as url, connected(url) as peer:
        for _ in range(2):
            await peer.ask("{ hello }")
        yield peer


@pytest.fixture
def short(world: World, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies of the requests that have gone the short way."""
    bodies: list[bytes] = []
    build = world.build

    def build_watched() -> web.Application:
        application = build()
        way = application[SHORT_WAY]
        answer = way.answer

        async def watched(request: web.Request, known: Any, body: bytes) -> Any:
            bodies.append(body)
            return await answer(request, known, body)

        object.__setattr__(way, "answer", watched)
        return application

    monkeypatch.setattr(world, "build", build_watched)
    return bodies


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Tally:
    """Counts what came in, piece by piece."""
    tally = Tally()
    receive = Connection.data_received

    def data_received(connection: Connection, data: bytes) -> None:
        receive(connection, data)
        tally.add()

    monkeypatch.setattr(Connection, "data_received", data_received)
    return tally


def test_requests_of_the_same_length_have_the_same_head() -> None:
    assert len({post(query).partition(b"\r\n\r\n")[0] for query in ("{ hello }", "{ slow }")}) == 1


async def test_a_repeated_head_is_answered_as_the_first_was(
    short: list[bytes], world: World, logged: list[MutableMapping[str, Any]]
) -> None:
    origin = "Origin: http://localhost:3000"
    async with world.serve() as url, connected(url) as peer:
        answers = []
        for _ in range(4):
            peer.send(post("{ hello }", origin))
            answers.append(await peer.answer())
    assert len(short) == 3
    for status, headers, body in answers:
        headers.pop("Date")
        assert len(headers.pop("X-Request-Id")) == 16
        assert (status, headers, body) == (200, answers[0][1], answers[0][2])
    lines = [line for line in logged if line["event"] == "request"]
    assert len({line.pop("request_id") for line in lines}) == 4
    for line in lines:
        assert line.pop("duration_ms") >= 0
        assert line == lines[0]


async def test_a_head_is_known_on_every_connection(short: list[bytes], world: World) -> None:
    async with world.serve() as url, connected(url) as first, connected(url) as second:
        await first.ask("{ hello }")
        assert short == []
        await second.ask("{ hello }")
        assert await second.ask("{ hello }") == {"data": {"hello": "hello world"}, **COST}
        assert short


COST = {"extensions": {"cost": {"nodes": 0, "limit": 10_000}}}


async def test_pipelined_requests_are_answered_in_order(short: list[bytes], world: World) -> None:
    async with acquainted(world) as peer:
        peer.send(post("{ slow }"))
        await world.waiting.reach(1)
        assert len(short) == 2
        peer.send(post('{ hello(name: "a") }'))
        peer.send(post('{ hello(name: "b") }'), post('{ hello(name: "c") }'))
        world.gate.set()
        answers = [(await peer.answer())[2]["data"] for _ in range(4)]
        assert answers == [{"slow": "at last"}, *({"hello": f"hello {x}"} for x in "abc")]
        assert (await peer.ask("{ hello }"))["data"] == {"hello": "hello world"}


async def test_a_body_in_pieces_is_a_body_whatever_it_looks_like(
    short: list[bytes], world: World, received: Tally
) -> None:
    async with world.serve() as url, connected(url) as peer:
        whole = post("{ hello }")
        for _ in range(2):
            await peer.ask("{ hello }")
        taken = len(short)
        body = orjson.dumps({"query": "{ hello }", "extensions": {}})[:-1] + b"\n" * 9
        head = f"POST /graphql HTTP/1.1\r\nHost: localhost\r\n{JSON}\r\nContent-Length: "
        received.value = 0
        peer.send(head.encode(), b"%d\r\n\r\n" % (len(body) + len(whole)), body)
        await received.reach(1)
        peer.send(whole)
        status, _, answer = await peer.answer()
        assert (status, answer["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")
        assert world.queries.value == 2
        assert len(short) == taken
        assert (await peer.ask("{ hello }"))["data"] == {"hello": "hello world"}
        assert len(short) == taken + 1


async def test_empty_lines_before_a_request_do_not_shift_where_the_next_one_begins(
    short: list[bytes], world: World, received: Tally
) -> None:
    async with world.serve() as url, connected(url) as peer:
        await peer.ask("{ hello }")
        received.value = 0
        peer.send(b"\r\n\r\n", post("{ hello }")[:-4])
        await received.reach(1)
        taken = len(short)
        peer.send(post("{ hello }")[-4:])
        assert (await peer.answer())[0] == 200
        assert (await peer.ask("{ hello }"))["data"] == {"hello": "hello world"}
        assert len(short) == taken


@pytest.mark.parametrize(
    "lines",
    [
        ("Accept: text/event-stream",),
        ("X-Request-Id: mine",),
        ("Connection: close",),
        ("Content-Encoding: identity", "Accept: text/html"),
        ("Origin: http://elsewhere.example",),
    ],
)
async def test_what_is_more_than_an_answer_goes_the_long_way(
    short: list[bytes], world: World, lines: tuple[str, ...]
) -> None:
    async with world.serve() as url:
        for _ in range(3):
            async with connected(url) as peer:
                peer.send(post("{ hello }", *lines))
                await peer._reader.readuntil(b"\r\n\r\n")
    assert short == []


async def test_what_is_wrong_with_a_body_is_said_on_a_connection_that_goes_on(
    short: list[bytes], world: World
) -> None:
    async with acquainted(world) as peer:
        whole = post("{ hello }")
        peer.send(whole[:-1], b"]")
        status, headers, body = await peer.answer()
        assert status == 400
        assert headers["Content-Type"] == "application/json; charset=utf-8"
        assert body["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
        peer.send(post("subscription { oneThenWait }"))
        status, _, body = await peer.answer()
        code = body["errors"][0]["extensions"]["code"]
        assert (status, code) == (400, "SUBSCRIPTION_TRANSPORT_REQUIRED")
        assert world.sources_opened.value == 0
        assert (await peer.ask("{ hello }"))["data"] == {"hello": "hello world"}
        assert len(short) == 4


async def test_a_length_of_too_many_digits_is_refused_on_a_connection_that_goes_on(
    short: list[bytes], world: World
) -> None:
    async with world.serve() as url, connected(url) as peer:
        # Noughts in front, which the parser takes, and more of them than Python makes a number of.
        peer.send(post("{ hello }").replace(b"Content-Length: ", b"Content-Length: " + b"0" * 5000))
        status, _, body = await peer.answer()
        assert (status, body["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")
        assert (await peer.ask("{ hello }"))["data"] == {"hello": "hello world"}
    assert short == []


async def test_credentials_are_looked_at_each_time(short: list[bytes], world: World) -> None:
    seen: list[web.Application] = []
    authenticate = world.authenticate

    async def authenticate_once(request: web.Request, parameters: Any) -> Any:
        seen.append(request.app)
        if len(seen) == 3:
            return await authenticate(request, {"token": "wrong"})
        return await authenticate(request, parameters)

    world.authenticate = authenticate_once  # type: ignore[method-assign]
    async with world.serve() as url, connected(url) as peer:
        for _ in range(2):
            await peer.ask("{ hello }", "Authorization: alice")
        assert world.callers == ["alice", "alice"]
        peer.send(post("{ hello }", "Authorization: alice"))
        status, headers, _ = await peer.answer()
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
    assert len(short) == 2
    assert seen == [world.application] * 3


async def test_a_query_is_cancelled_when_its_client_leaves(
    short: list[bytes], world: World, logged: list[MutableMapping[str, Any]]
) -> None:
    async with acquainted(world) as peer:
        peer.send(post("{ slow }"))
        await world.waiting.reach(1)
        assert len(short) == 2
        peer.leave()
        await world.cancelled.reach(1)
    assert [line["status"] for line in logged if line["event"] == "request"][-1] == 499


async def test_a_mutation_runs_to_its_end_when_its_client_leaves(
    short: list[bytes], world: World, logged: list[MutableMapping[str, Any]]
) -> None:
    async with world.serve() as url, connected(url) as peer:
        for _ in range(2):
            await peer.ask("{ hello }")
        peer.send(post("mutation { slowIncrement }"))
        await world.mutations_begun.reach(1)
        assert len(short) == 2
        peer.leave()
        async with connected(url) as other:
            await other.ask("{ hello }")
        world.gate.set()
        await world.mutations.reach(1)
    assert [line["status"] for line in logged if line["event"] == "request"][-1] == 499


async def test_a_client_that_does_not_read_is_answered_no_further(
    short: list[bytes], world: World, received: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Tally()
    paused: list[bool] = []
    write = Connection._write

    def write_counted(connection: Connection, answer: WholeAnswer) -> None:
        write(connection, answer)
        paused.append(connection.writing_paused)
        written.add()

    monkeypatch.setattr(Connection, "_write", write_counted)
    fields = " ".join([f"f{number}: echo(value: $value)" for number in range(20)])
    query = f"query ($value: JSON!) {{ {fields} }}"
    body = orjson.dumps({"query": query, "variables": {"value": "x" * 4000}})
    head = f"POST /graphql HTTP/1.1\r\nHost: localhost\r\n{JSON}\r\nContent-Length: {len(body)}"
    whole = b"\r\n\r\n".join((head.encode(), body))
    async with world.serve() as url, connected(url) as peer:
        peer.send(whole)
        await peer.answer()
        received.value = 0
        while True not in paused:
            # More than the buffers of both sides hold.
            assert written.value < 200
            peer.send(whole)
            await written.reach(written.value + 1)
        sent = written.value
        await received.reach(sent)
        peer.send(whole)
        await received.reach(sent + 1)
        assert len(world.contexts) == len(short) + 1 == sent + 1
        for _ in range(sent + 1):
            assert len((await peer.answer())[2]["data"]) == 20
        assert len(world.contexts) == sent + 2


@pytest.mark.parametrize("operation", ["mutation { slowIncrement }", "{ slow }"])
async def test_a_stop_waits_for_the_answer(
    short: list[bytes], world: World, operation: str
) -> None:
    async with asyncio.timeout(PATIENCE), AsyncExitStack() as open_beyond_the_stop:
        async with listening(world.build(), "127.0.0.1", 0) as url:
            peer = await open_beyond_the_stop.enter_async_context(connected(url))
            for _ in range(2):
                await peer.ask("{ hello }")
            peer.send(post(operation))
            await (world.mutations_begun if "mut" in operation else world.waiting).reach(1)
            assert len(short) == 2
            asyncio.get_running_loop().call_later(0.1, world.gate.set)
        assert (await peer.answer())[2]["data"] in ({"slowIncrement": 1}, {"slow": "at last"})
        assert await peer.ended()


async def test_an_idle_connection_is_closed(
    short: list[bytes], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.server.run._KEEP_ALIVE_SECONDS", 0.2)
    async with world.serve() as url, connected(url) as peer:
        for _ in range(4):
            await peer.ask("{ hello }")
        # Not idle: it is asked for longer than that, and answers then.
        asyncio.get_running_loop().call_later(0.5, world.gate.set)
        peer.send(post("{ slow }"))
        assert (await peer.answer())[2]["data"] == {"slow": "at last"}
        assert len(short) == 4
        assert await peer.ended()


async def test_a_client_that_sends_nonsense_next_is_told_so_and_cut_off(
    short: list[bytes], world: World
) -> None:
    async with acquainted(world) as peer:
        peer.send(post("{ slow }"))
        await world.waiting.reach(1)
        assert len(short) == 2
        peer.send(b"no HTTP at all\r\n\r\n")
        world.gate.set()
        assert (await peer.answer())[2]["data"] == {"slow": "at last"}
        async with asyncio.timeout(PATIENCE):
            assert (await peer._reader.read()).startswith(b"HTTP/1.0 400 ")


async def test_what_is_remembered_is_bounded(world: World) -> None:
    async with world.serve() as url, connected(url) as peer:
        assert world.application is not None
        heads = world.application[SHORT_WAY].heads._heads
        await peer.ask("{ hello }", "X-Long: " + "x" * LONGEST_HEAD)
        assert len(heads) == 0
        for number in range(MOST_HEADS + 10):
            await peer.ask("{ hello }", f"X-Number: {number}")
        assert len(heads) == 10
