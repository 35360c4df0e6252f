"""Searching over GraphQL: hits with their words, their session and their place."""

from __future__ import annotations

from typing import Any

import pytest

from app.backends.protocol import Backend
from tests.schema.client import Api, CountingBackend, build_services
from tests.schema.conftest import ADA
from tests.schema.loading import load_directory

SEARCH = """query ($words: String!, $first: Int, $after: String, $filter: MessageSearchFilter,
  $orderBy: SearchOrder! = RELEVANCE) {
  searchMessages(query: $words, first: $first, after: $after, filter: $filter, orderBy: $orderBy) {
    edges {
      cursor
      node { id text session { key } }
      snippet { text highlights { start length } }
    }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}"""


async def found(api: Api, query: str, **variables: Any) -> list[str]:
    data = await api.run(SEARCH, words=query, **variables)
    return [edge["node"]["text"] for edge in data["searchMessages"]["edges"]]


async def keys(api: Api, query: str, **filters: Any) -> list[str]:
    data = await api.run(
        "query ($filter: SessionFilter) { sessions(filter: $filter,"
        " orderBy: { field: CREATED, direction: ASC }) { edges { node { key } } } }",
        filter={"query": query, **filters},
    )
    return [edge["node"]["key"] for edge in data["sessions"]["edges"]]


async def test_a_hit_is_shown_with_its_words_and_its_session(api: Api) -> None:
    session_id = await api.create("How do I page?", "By 🎉 Cursor, with a cursor.", key="paging")
    ids = await api.run(
        "query ($id: ID!) { session(id: $id) { messages { edges { node { id } } } } }",
        id=session_id,
    )
    data = (await api.run(SEARCH, words="CURSOR with"))["searchMessages"]
    (edge,) = data["edges"]
    assert edge["node"] == {
        "id": ids["session"]["messages"]["edges"][1]["node"]["id"],
        "text": "By 🎉 Cursor, with a cursor.",
        "session": {"key": "paging"},
    }
    # The emoji is two code units in JavaScript.
    assert edge["snippet"] == {
        "text": "By 🎉 Cursor, with a cursor.",
        "highlights": [
            {"start": 6, "length": 6},
            {"start": 14, "length": 4},
            {"start": 21, "length": 6},
        ],
    }
    assert data["pageInfo"] == {
        "hasNextPage": False,
        "hasPreviousPage": False,
        "startCursor": edge["cursor"],
        "endCursor": edge["cursor"],
    }


async def test_chinese_is_found_down_to_one_character(api: Api) -> None:
    await api.create("你好，世界", "世 界", "no")
    assert await found(api, "界", orderBy="NEWEST") == ["世 界", "你好，世界"]
    assert await found(api, "世界") == ["你好，世界"]


async def test_the_best_come_first_unless_the_newest_are_asked_for(api: Api) -> None:
    await api.create("cursor cursor", "a cursor far from the start of it", "cursors")
    assert await found(api, "cursor") == [
        "cursor cursor",
        "a cursor far from the start of it",
        "cursors",
    ]
    assert await found(api, "cursor", orderBy="NEWEST") == [
        "cursors",
        "a cursor far from the start of it",
        "cursor cursor",
    ]


@pytest.mark.parametrize("order", ["RELEVANCE", "NEWEST"])
async def test_pages_of_hits_join_without_a_seam(api: Api, order: str) -> None:
    await api.create(*(f"alpha {'alpha ' * (number % 3)}{number}" for number in range(7)))
    everything = await found(api, "alpha", orderBy=order)
    assert len(everything) == 7
    walked: list[str] = []
    cursor = None
    while True:
        data = await api.run(SEARCH, words="alpha", first=3, after=cursor, orderBy=order)
        page = data["searchMessages"]
        assert page["pageInfo"]["hasPreviousPage"] is bool(walked)
        walked += [edge["node"]["text"] for edge in page["edges"]]
        cursor = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert walked == everything


async def test_a_cursor_of_another_query_or_order_is_refused(api: Api) -> None:
    await api.create("alpha beta")
    data = await api.run(SEARCH, words="alpha")
    cursor = data["searchMessages"]["pageInfo"]["endCursor"]
    assert await found(api, "  ALPHA", after=cursor) == []
    for variables in (
        {"words": "beta", "after": cursor},
        {"words": "alpha", "after": cursor, "orderBy": "NEWEST"},
        {"words": "alpha", "after": "nonsense"},
    ):
        error = await api.refuse(SEARCH, **variables)
        assert error["extensions"] == {"code": "INVALID_INPUT", "inputPath": ["after"]}


async def test_others_messages_are_not_found(api: Api, bob: Api, reader: Api) -> None:
    await api.create("alpha of ada", title="Alpha A")
    await bob.create("alpha of bob", title="Alpha B")
    assert await found(api, "alpha") == ["alpha of ada"]
    assert await found(bob, "alpha") == ["alpha of bob"]
    assert sorted(await found(reader, "alpha")) == ["alpha of ada", "alpha of bob"]
    assert len(await keys(api, "alpha")) == 1
    assert len(await keys(reader, "alpha")) == 2


async def test_hits_are_filtered(api: Api) -> None:
    ids = await load_directory(api.services.backend)
    plain = await api.create("alpha plain", "alpha plainer")
    marked = await api.create(
        "alpha marked", channel="slack", agentId=ids["navi"], profileId=ids["research"]
    )
    for name, state in (("pin", "pinned"), ("star", "starred"), ("archive", "archived")):
        await api.mutate(f"{name}Session", "session { id }", sessionId=marked, **{state: True})
    first = (await api.run(SEARCH, words="plain", orderBy="NEWEST"))["searchMessages"]["edges"][1]
    await api.mutate("archiveMessages", "session { id }", throughMessageId=first["node"]["id"])
    for given, texts in (
        ({"sessionId": plain}, ["alpha plain", "alpha plainer"]),
        ({"sessionId": marked}, ["alpha marked"]),
        ({"profileId": ids["research"]}, ["alpha marked"]),
        ({"agentId": ids["navi"]}, ["alpha marked"]),
        ({"channel": "slack"}, ["alpha marked"]),
        ({"pinned": True}, ["alpha marked"]),
        ({"starred": False}, ["alpha plain", "alpha plainer"]),
        ({"sessionArchived": True}, ["alpha marked"]),
        ({"sessionArchived": False}, ["alpha plain", "alpha plainer"]),
        ({"roles": ["USER"]}, ["alpha marked", "alpha plain", "alpha plainer"]),
        ({"roles": ["ASSISTANT", "TOOL"]}, []),
        ({"scope": "ACTIVE"}, ["alpha marked", "alpha plainer"]),
        ({"scope": "ARCHIVED"}, ["alpha plain"]),
        ({"since": "2020-01-01T00:00:00Z", "pinned": False, "scope": "ARCHIVED"}, ["alpha plain"]),
        ({"until": "2020-01-01T00:00:00Z"}, []),
        ({}, ["alpha marked", "alpha plain", "alpha plainer"]),
    ):
        assert sorted(await found(api, "alpha", filter=given)) == texts, given


async def test_sessions_are_found_by_title_and_by_what_was_said(api: Api) -> None:
    await api.create("nothing", key="one", title="Alpha beta")
    await api.create("the alpha", "and beta", key="two")
    await api.create("alpha beta 世界", key="three", channel="web")
    assert await keys(api, "alpha") == ["one", "two", "three"]
    assert await keys(api, "alpha beta") == ["one", "three"]
    assert await keys(api, "世") == ["three"]
    assert await keys(api, "alpha", channel="web") == ["three"]


@pytest.mark.parametrize(
    ("variables", "code", "path"),
    [
        ({"words": " "}, "INVALID_INPUT", ["query"]),
        ({"words": "?"}, "INVALID_INPUT", ["query"]),
        ({"words": "a\x00"}, "INVALID_INPUT", ["query"]),
        ({"words": "x" * 201}, "LIMIT_EXCEEDED", ["query"]),
        ({"words": "a b c d e f g h i j k"}, "LIMIT_EXCEEDED", ["query"]),
        ({"words": "a", "first": -1}, "INVALID_INPUT", ["first"]),
        ({"words": "a", "first": 101}, "LIMIT_EXCEEDED", ["first"]),
        ({"words": "a", "filter": {"sessionId": "x"}}, "INVALID_INPUT", ["filter", "sessionId"]),
        ({"words": "a", "filter": {"roles": []}}, "INVALID_INPUT", ["filter", "roles"]),
        ({"words": "a", "filter": {"channel": "\x00"}}, "INVALID_INPUT", ["filter", "channel"]),
        (
            {
                "words": "a",
                "filter": {"since": "2021-01-01T00:00:00Z", "until": "2021-01-01T00:00:00Z"},
            },
            "INVALID_INPUT",
            ["filter", "until"],
        ),
    ],
)
async def test_a_wrong_argument_is_an_error_with_a_code_and_its_path(
    api: Api, variables: dict[str, Any], code: str, path: list[str]
) -> None:
    response = await api.respond(SEARCH, variables)
    assert response.data == {"searchMessages": None}
    (error,) = response.errors
    assert error["extensions"] == {"code": code, "inputPath": path}


async def test_a_wrong_query_for_sessions_is_named(api: Api) -> None:
    error = await api.refuse(
        "query ($filter: SessionFilter) { sessions(filter: $filter) { edges { cursor } } }",
        filter={"query": ""},
    )
    assert error["extensions"] == {"code": "INVALID_INPUT", "inputPath": ["filter", "query"]}


async def test_hits_come_with_their_sessions_in_one_call(backend: Backend) -> None:
    counting = CountingBackend(backend)
    api = Api(build_services(counting), ADA, [])  # type: ignore[arg-type]
    for number in range(3):
        await api.create(f"alpha {number}", key=f"{number}")
    counting.calls.clear()
    data = await api.run(SEARCH, words="alpha")
    assert {edge["node"]["session"]["key"] for edge in data["searchMessages"]["edges"]} == {
        "0",
        "1",
        "2",
    }
    assert dict(counting.calls) == {"search_messages": 1}
