"""Which media type a client gets for its Accept header."""

from __future__ import annotations

import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st

from app.server.negotiation import Acceptable, MediaType, negotiate
from tests.server.world import World

JSON, RESPONSE_JSON = MediaType.JSON, MediaType.RESPONSE_JSON
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
URQL = (
    "application/graphql-response+json, application/graphql+json, application/json,"
    " text/event-stream, multipart/mixed"
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/json", JSON),
        ("APPLICATION/JSON", JSON),
        ("application/json; charset=utf-8", JSON),
        ("application/json; charset=utf-16", None),
        ("application/graphql-response+json", RESPONSE_JSON),
        ("application/graphql-response+json, application/json", RESPONSE_JSON),
        ("application/json, application/graphql-response+json", RESPONSE_JSON),
        ("application/graphql-response+json, application/json;q=0.9", RESPONSE_JSON),
        ("application/graphql-response+json;q=0.5, application/json", JSON),
        ("application/graphql-response+json;q=0.5, */*;q=0.1", RESPONSE_JSON),
        ("*/*, application/json;q=0", RESPONSE_JSON),
        ("application/json;q=0", None),
        ("*/*;q=0", None),
        ("text/plain", None),
        ("text/html", None),
        ("application/json;q=high", JSON),
        ("application/json;q=high, text/plain", None),
        ("gibberish", JSON),
        (BROWSER, JSON),
        (URQL, RESPONSE_JSON),
    ],
)
def test_the_json_type_that_fits_best(accept: str, expected: MediaType | None) -> None:
    assert negotiate(accept).json is expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/event-stream", True),
        (URQL, True),
        ("text/event-stream;q=0", False),
        ("*/*", False),
        ("text/*", False),
        ("", False),
    ],
)
def test_a_stream_is_only_for_those_who_name_it(accept: str, expected: bool) -> None:
    assert negotiate(accept).event_stream is expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("text/html, */*", True),
        ("text/html;q=0.5, application/json", False),
        ("application/json, text/html", False),
        ("text/html;q=0", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_a_page_is_only_for_those_who_would_rather_have_one(accept: str, expected: bool) -> None:
    assert negotiate(accept).page is expected


@given(st.text(max_size=80) | st.text("aplicton/json*;=q,01. ", max_size=80))
def test_any_header_is_understood_somehow(accept: str) -> None:
    assert isinstance(negotiate(accept), Acceptable)


@pytest.mark.parametrize("accept", ["text/plain", "application/json;q=0", "multipart/mixed"])
async def test_nothing_acceptable_is_406_and_runs_nothing(
    http: ClientSession, url: str, world: World, accept: str
) -> None:
    sent = {"query": "mutation { increment }"}
    async with http.post(url, json=sent, headers={"Accept": accept}) as response:
        assert response.status == 406
        (error,) = (await response.json())["errors"]
        assert error["extensions"]["code"] == "NOT_ACCEPTABLE"
    assert world.mutations.value == 0


async def test_accept_headers_given_apart_count_together(http: ClientSession, url: str) -> None:
    headers = [("Accept", "text/plain"), ("Accept", "application/graphql-response+json")]
    async with http.post(url, json={"query": "{ hello }"}, headers=headers) as response:
        assert response.content_type == "application/graphql-response+json"
