"""What a request over HTTP may say: bodies, parameters and headers that are taken or refused."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest
from aiohttp import ClientSession
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from tests.server.http_client import RESPONSE_JSON, code, post
from tests.server.world import World

BAD_BODIES = {
    "empty": b"",
    "not JSON": b'{"query": ',
    "a string": b'"x"',
    "null": b"null",
    "a number": b"7",
    "a batch": b'[{"query": "mutation { increment }"}]',
    "nested too deep for a parser": b'{"query":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "nested too deep for an answer": (
        b'{"query": "mutation { increment }", "variables": {"a": '
        + b'{"a":' * 120
        + b"1"
        + b"}" * 120
        + b"}}"
    ),
    "not UTF-8": b'{"query": "mutation { increment } #\xff"}',
    "UTF-16": '{"query": "mutation { increment }"}'.encode("utf-16"),
    "NaN": b'{"query": "mutation { increment }", "variables": {"a": NaN}}',
    "Infinity": b'{"query": "mutation { increment }", "variables": {"a": Infinity}}',
    "a lone surrogate": b'{"query": "mutation { increment }", "variables": {"a": "\\ud800"}}',
    "two values": b'{"query": "mutation { increment }"} {}',
    "no query": b'{"variables": {}}',
    "null query": b'{"query": null}',
    "empty query": b'{"query": "  "}',
    "query a list": b'{"query": ["mutation { increment }"]}',
    "variables a string": b'{"query": "mutation { increment }", "variables": "{}"}',
    "variables a list": b'{"query": "mutation { increment }", "variables": []}',
    "operationName a number": b'{"query": "mutation { increment }", "operationName": 0}',
    "extensions a boolean": b'{"query": "mutation { increment }", "extensions": false}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
@pytest.mark.parametrize("accept", ["application/json", RESPONSE_JSON, "*/*", "text/event-stream"])
async def test_a_bad_body_is_a_clear_error_and_runs_nothing(
    http: ClientSession, url: str, world: World, body: bytes, accept: str
) -> None:
    headers = {"Content-Type": "application/json", "Accept": accept}
    async with http.post(url, data=body, headers=headers) as response:
        assert response.status == 400
        answer = await response.json(content_type=None)
    assert code(answer) == "BAD_REQUEST"
    assert "data" not in answer
    assert answer["errors"][0]["message"]
    assert world.mutations.value == 0


async def test_a_batch_is_told_that_batching_is_off(http: ClientSession, url: str) -> None:
    async with http.post(url, json=[{"query": "{ hello }"}]) as response:
        assert "Batching is off" in (await response.json())["errors"][0]["message"]


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"query": ""},
        {"query": "{ hello }", "variables": "{"},
        {"query": "{ hello }", "variables": "[]"},
        {"query": "{ hello }", "variables": '"x"'},
        {"query": "{ hello }", "extensions": "1"},
    ],
)
async def test_bad_parameters_of_a_get_are_a_clear_error(
    http: ClientSession, url: str, world: World, parameters: dict[str, str]
) -> None:
    async with http.get(url, params=parameters) as response:
        assert response.status == 400
        assert code(await response.json()) == "BAD_REQUEST"
    assert world.queries.value == 0


async def test_a_url_of_the_limit_is_read_and_a_longer_one_is_sent_to_post(
    http: ClientSession, url: str, world: World
) -> None:
    for length, status in ((16 * 1024, 200), (16 * 1024 + 1, 414), (40_000, 414)):
        path = "/graphql?query={hello}"
        address = URL(url + "?query={hello}" + "," * (length - len(path)), encoded=True)
        async with http.get(address) as response:
            assert response.status == status
            answer = await response.json()
    assert code(answer) == "URI_TOO_LONG"
    assert "POST" in answer["errors"][0]["message"]
    assert world.queries.value == 1


async def test_a_parameter_given_twice_is_refused(http: ClientSession, url: str) -> None:
    async with http.get(f"{url}?query={{hello}}&query={{hello}}") as response:
        assert response.status == 400
        assert "more than once" in (await response.json())["errors"][0]["message"]


async def test_nesting_up_to_the_limit_comes_back_whole(http: ClientSession, url: str) -> None:
    value: Any = "leaf"
    for _ in range(98):
        value = [value]
    status, answer = await post(
        http, url, query="query ($v: JSON!) { echo(value: $v) }", variables={"v": value}
    )
    assert status == 200
    assert answer["data"] == {"echo": value}


async def test_wide_json_is_not_taken_for_deep_json(http: ClientSession, url: str) -> None:
    value = [{"n": [number]} for number in range(1000)]
    status, answer = await post(
        http, url, query="query ($v: JSON!) { echo(value: $v) }", variables={"v": value}
    )
    assert status == 200
    assert answer["data"] == {"echo": value}


@pytest.mark.parametrize(
    "number",
    ["18446744073709551616", "-9223372036854775809", "1" * 200, "[1, 12345678901234567890123]"],
)
async def test_an_integer_that_would_be_rounded_is_refused(
    http: ClientSession, url: str, number: str
) -> None:
    query = '{"query": "query ($v: JSON!) { echo(value: $v) }", "variables": {"v": '
    body = query + number + "}}"
    headers = {"Content-Type": "application/json"}
    async with http.post(url, data=body.encode(), headers=headers) as response:
        assert response.status == 400
        answer = await response.json()
    assert code(answer) == "BAD_REQUEST"
    assert "beyond 64 bits" in answer["errors"][0]["message"]


@pytest.mark.parametrize(
    "value", [2**64 - 1, -(2**63), 1e20, 1.5e-300, "18446744073709551616", '"99999999999999999999']
)
async def test_numbers_and_digits_that_fit_come_back_exactly(
    http: ClientSession, url: str, value: Any
) -> None:
    status, answer = await post(
        http, url, query="query ($v: JSON!) { echo(value: $v) }", variables={"v": value}
    )
    assert status == 200
    assert answer["data"] == {"echo": value}


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**53), max_value=2**53)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


@settings(max_examples=50, suppress_health_check=list(HealthCheck))
@given(body=st.binary(max_size=64) | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
async def test_no_body_whatever_is_an_internal_error(
    http: ClientSession, url: str, body: bytes
) -> None:
    async with http.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
        assert response.status in (200, 400)
        assert "errors" in await response.json()


async def test_a_body_of_the_limit_is_read_and_one_byte_more_is_refused(
    http: ClientSession, world: World
) -> None:
    query = b'{"query": "mutation { increment }"}'
    async with world.serve(body_limit=1000) as url:
        headers = {"Content-Type": "application/json"}
        async with http.post(url, data=query.ljust(1000), headers=headers) as response:
            assert response.status == 200
        async with http.post(url, data=query.ljust(1001), headers=headers) as response:
            assert response.status == 413
            assert code(await response.json()) == "PAYLOAD_TOO_LARGE"
    assert world.mutations.value == 1


async def test_a_body_without_length_and_a_compressed_one_meet_the_same_limit(
    http: ClientSession, world: World
) -> None:
    query = b'{"query": "mutation { increment }"}'.ljust(100_000)

    async def chunks() -> Any:
        yield query

    async with world.serve(body_limit=10_000) as url:
        headers = {"Content-Type": "application/json"}
        async with http.post(url, data=chunks(), headers=headers) as response:
            assert response.status == 413
        packed = gzip.compress(query)
        assert len(packed) < 1000
        headers["Content-Encoding"] = "gzip"
        async with http.post(url, data=packed, headers=headers) as response:
            assert response.status == 413
            assert code(await response.json()) == "PAYLOAD_TOO_LARGE"
    assert world.mutations.value == 0


async def test_a_body_that_does_not_arrive_is_given_up(world: World) -> None:
    async with world.serve(body_timeout=0.05) as url:
        host, port = url.removeprefix("http://").split("/")[0].split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Connection: close\r\nContent-Length: 100\r\n\r\n{"
        )
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert head.startswith(b"HTTP/1.1 408 ")
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        "text/json",
        "application/jsonp",
    ],
)
async def test_other_content_types_are_refused_so_that_no_form_can_mutate(
    http: ClientSession, url: str, world: World, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    async with http.post(
        url,
        data=b'{"query": "mutation { increment }"}',
        headers=headers,
        skip_auto_headers=["Content-Type"],
    ) as response:
        assert response.status == 415
        assert code(await response.json()) == "UNSUPPORTED_MEDIA_TYPE"
    assert world.mutations.value == 0


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=utf-8",
        'Application/JSON;charset="UTF-8"',
        "application/json ;x=y",
    ],
)
async def test_json_in_utf_8_is_taken_however_it_is_written(
    http: ClientSession, url: str, content_type: str
) -> None:
    body = '{"query": "{ hello(name: \\"Zoë\\") }"}'.encode()
    async with http.post(url, data=body, headers={"Content-Type": content_type}) as response:
        assert (await response.json())["data"] == {"hello": "hello Zoë"}
