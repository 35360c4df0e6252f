"""What is logged, in which form, and what never is."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from aiohttp import ClientSession

from app.server.log_lines import OWN_LOGGERS
from app.server.log_writer import LogWriter
from app.server.logging import LogFormat, configure_logging
from tests.server.socket_client import initialised
from tests.server.world import World

Lines = list[MutableMapping[str, Any]]

REQUEST_FIELDS = {
    "event": "request",
    "request_id": "req-7",
    "method": "POST",
    "path": "/graphql",
    "status": 200,
    "kind": "query",
    "operation": "Greet",
}


def of(lines: Lines, event: str) -> MutableMapping[str, Any]:
    (line,) = [line for line in lines if line["event"] == event]
    return line


async def test_a_request_is_one_line_with_what_ran_and_no_contents(
    http: ClientSession, url: str, logged: Lines
) -> None:
    request = {
        "query": "query Greet($n: String!) { hello(name: $n) }",
        "variables": {"n": "swordfish"},
    }
    headers = {"X-Request-Id": "req-7"}
    async with http.post(url + "?token=swordfish", json=request, headers=headers) as response:
        assert response.status == 200
    (line,) = logged
    assert line.pop("duration_ms") > 0
    assert line == {**REQUEST_FIELDS, "level": "info"}


@pytest.mark.usefixtures("restored")
async def test_a_request_is_a_line_of_json(http: ClientSession, world: World) -> None:
    stream = io.BytesIO()
    configure_logging(LogFormat.JSON, "info", stream)
    async with world.serve() as url:
        headers = {"X-Request-Id": "req-7"}
        async with http.post(url, json={"query": "query Greet { hello }"}, headers=headers):
            pass
    (line,) = map(json.loads, stream.getvalue().splitlines())
    assert line.pop("duration_ms") > 0
    assert line.pop("timestamp").endswith("Z")
    assert line == {**REQUEST_FIELDS, "level": "info"}


@pytest.mark.usefixtures("restored")
async def test_a_request_is_a_line_of_text(http: ClientSession, world: World) -> None:
    stream = io.BytesIO()
    configure_logging(LogFormat.TEXT, "info", stream)
    async with world.serve() as url:
        headers = {"X-Request-Id": "req-7"}
        async with http.post(url, json={"query": "query Greet { hello }"}, headers=headers):
            pass
    (line,) = stream.getvalue().decode().splitlines()
    assert "request_id=req-7" in line
    assert "operation=Greet" in line


@pytest.mark.usefixtures("restored")
async def test_a_level_above_info_leaves_requests_out(http: ClientSession, world: World) -> None:
    stream = io.BytesIO()
    configure_logging(LogFormat.JSON, "warning", stream)
    async with world.serve() as url, http.post(url, json={"query": "{ hello }"}):
        pass
    assert stream.getvalue() == b""


async def test_a_refusal_is_logged_with_its_status(
    http: ClientSession, url: str, logged: Lines
) -> None:
    async with http.post(url, data=b"{", headers={"Content-Type": "application/json"}):
        pass
    (line,) = logged
    assert line["status"] == 400
    assert "kind" not in line


async def test_each_operation_on_a_socket_is_a_line_with_the_id_of_its_connection(
    http: ClientSession, url: str, logged: Lines, world: World
) -> None:
    async with initialised(http, url) as client:
        await client.subscribe("s", "subscription Wait { oneThenWait }")
        await client.data("s")
        await client.send(id="s", type="complete")
        await world.sources_closed.reach(1)
        assert await client.still_lives()
    subscription, query = [line for line in logged if line["event"] == "operation"]
    assert subscription.pop("duration_ms") > 0
    request_id = subscription["request_id"]
    assert subscription == {
        "event": "operation",
        "level": "info",
        "request_id": request_id,
        "kind": "subscription",
        "operation": "Wait",
        "outcome": "cancelled",
    }
    assert query["request_id"] == request_id
    assert query["outcome"] == "completed"


async def test_an_event_stream_is_logged_at_its_end_with_the_number_of_results(
    http: ClientSession, url: str, logged: Lines
) -> None:
    request = {"query": "subscription { countTo(last: 3) }"}
    async with http.post(url, json=request, headers={"Accept": "text/event-stream"}) as response:
        await response.read()
    line = of(logged, "request")
    assert (line["status"], line["kind"], line["events"]) == (200, "subscription", 3)


async def test_an_unexpected_failure_is_logged_in_full(
    http: ClientSession, logged: Lines, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(world, "open_context", fail)
    async with world.serve() as url, http.post(url, json={"query": "{ hello }"}) as response:
        request_id = response.headers["X-Request-Id"]
    line = of(logged, "request failed")
    assert line["level"] == "error"
    assert line["request_id"] == request_id
    assert str(line["exc_info"]) == "out of order"


@pytest.fixture
def restored() -> Iterator[None]:
    """Puts logging back as it was."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    levels = {name: logging.getLogger(name).level for name in ("root", *OWN_LOGGERS)}
    yield
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


class CountingStream(io.BytesIO):
    """Keeps each write apart."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, data: Any) -> int:
        self.writes.append(bytes(data))
        return len(data)


def check(password: str) -> None:
    raise ValueError(f"{len(password)} characters")


@pytest.mark.usefixtures("restored")
def test_json_lines_have_time_level_event_and_fields() -> None:
    stream = io.BytesIO()
    configure_logging(LogFormat.JSON, "info", stream)
    log = logging.getLogger("scrollback.test")
    log.debug("hidden")
    log.info("seen", extra={"status": 200, "text": "zwei\nZeilen ü"})
    (line,) = stream.getvalue().splitlines()
    fields = json.loads(line)
    assert fields.pop("timestamp").endswith("Z")
    assert fields == {
        "event": "seen",
        "level": "info",
        "status": 200,
        "text": "zwei\nZeilen ü",
    }


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("log_format", list(LogFormat))
def test_exceptions_come_with_their_traceback_and_without_the_values_of_variables(
    log_format: LogFormat,
) -> None:
    stream = io.BytesIO()
    configure_logging(log_format, "info", stream)
    password = "sword" + "fish"
    try:
        check(password)
    except ValueError as error:
        logging.getLogger("scrollback.test").exception("failed", exc_info=error)
    text = stream.getvalue().decode()
    assert "ValueError: 9 characters" in text
    assert "Traceback" in text
    assert "swordfish" not in text
    assert (len(text.splitlines()) == 1) is (log_format is LogFormat.JSON)


@pytest.mark.usefixtures("restored")
def test_libraries_log_in_the_same_form_from_warnings_on() -> None:
    stream = io.BytesIO()
    configure_logging(LogFormat.JSON, "info", stream)
    logging.getLogger("asyncio").info("hidden")
    logging.getLogger("asyncio").warning("slow by %d", 7)
    try:
        check("gone")
    except ValueError:
        logging.getLogger("asyncio").exception("broken")
    warning, error = map(json.loads, stream.getvalue().splitlines())
    assert (warning["event"], warning["level"], warning["logger"]) == (
        "slow by 7",
        "warning",
        "asyncio",
    )
    assert "ValueError: 4 characters" in error["exception"]


@pytest.mark.usefixtures("restored")
async def test_what_is_not_http_is_one_line_that_quotes_nothing(world: World) -> None:
    stream = io.BytesIO()
    async with world.serve() as url:
        configure_logging(LogFormat.JSON, "info", stream)
        host, port = url.removeprefix("http://").split("/")[0].split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /graphql HTTP/1.1\r\nthe password is swordfish\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await writer.wait_closed()
    assert b" 400 Bad Request" in answer
    (line,) = map(json.loads, stream.getvalue().splitlines())
    assert (line["event"], line["problem"]) == ("malformed HTTP request", "BadHttpMessage")
    assert b"swordfish" not in stream.getvalue()


async def test_lines_of_one_turn_are_written_together_and_in_order() -> None:
    stream = CountingStream()
    writer = LogWriter(stream)
    writer.info(b"one")
    writer.info(b"two")
    assert stream.writes == []
    await asyncio.sleep(0)
    writer.info(b"three")
    await asyncio.sleep(0)
    assert stream.writes == [b"one\ntwo\n", b"three\n"]


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("level", ["warning", "error", "critical"])
async def test_what_is_wrong_is_written_at_once_with_what_came_before(level: str) -> None:
    stream = CountingStream()
    configure_logging(LogFormat.JSON, "debug", stream)
    log = logging.getLogger("scrollback.test")
    log.debug("before")
    log.info("then")
    assert stream.writes == []
    getattr(log, level)("wrong")
    (written,) = stream.writes
    events = [json.loads(line)["event"] for line in written.splitlines()]
    assert events == ["before", "then", "wrong"]
    await asyncio.sleep(0)
    assert len(stream.writes) == 1


def test_without_an_event_loop_lines_are_written_at_once() -> None:
    stream = CountingStream()
    LogWriter(stream).info(b"alone")
    assert stream.writes == [b"alone\n"]


@pytest.mark.usefixtures("restored")
def test_text_is_for_people_and_colourless_unless_on_a_terminal() -> None:
    stream = io.BytesIO()
    configure_logging(LogFormat.TEXT, "warning", stream)
    log = logging.getLogger("scrollback.test")
    log.info("hidden")
    log.warning("seen", extra={"title": "lone \ud800 surrogate", "text": "two\nlines \x1b[31m"})
    (line,) = stream.getvalue().decode().splitlines()
    assert "seen" in line
    assert "\x1b" not in line


@pytest.mark.usefixtures("restored")
def test_a_level_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(ValueError, match="no log level 'loud': use debug, info"):
        configure_logging(LogFormat.JSON, "loud", io.BytesIO())
