"""Reading: nodes, sessions, lists of sessions."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from app.model.timestamps import to_timestamp
from app.rules.limits import Limits
from tests.schema.client import Api
from tests.schema.loading import load_directory

EARLIER = "2020-01-01T00:00:00Z"
LATER = "2021-01-01T00:00:00Z"

LIST = """
query ($first: Int, $after: String, $last: Int, $before: String,
       $filter: SessionFilter, $orderBy: SessionOrder) {
  sessions(first: $first, after: $after, last: $last, before: $before,
           filter: $filter, orderBy: $orderBy) {
    edges { cursor node { key } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""


async def keys(api: Api, **variables: Any) -> list[str]:
    data = await api.run(LIST, **variables)
    return [edge["node"]["key"] for edge in data["sessions"]["edges"]]


async def test_the_viewer_is_the_caller_with_permissions_and_limits(api: Api, writer: Api) -> None:
    query = "{ viewer { user { name displayName } permissions limits { maxPageSize nodeIds } } }"
    assert (await api.run(query))["viewer"] == {
        "user": {"name": "ada", "displayName": "ada"},
        "permissions": [],
        "limits": {"maxPageSize": 100, "nodeIds": 100},
    }
    assert (await writer.run(query))["viewer"]["permissions"] == [
        "READ_ALL_SESSIONS",
        "WRITE_ALL_SESSIONS",
    ]


async def test_a_session_is_found_by_id_and_by_key(api: Api) -> None:
    session_id = await api.create(key="telegram:42%/ü世")
    found = await api.run(
        "query ($id: ID!, $key: String!) { session(id: $id) { id key }"
        " sessionByKey(key: $key) { id } node(id: $id) { id __typename } }",
        id=session_id,
        key="telegram:42%/ü世",
    )
    assert found == {
        "session": {"id": session_id, "key": "telegram:42%/ü世"},
        "sessionByKey": {"id": session_id},
        "node": {"id": session_id, "__typename": "Session"},
    }
    assert await api.run('{ sessionByKey(key: "telegram:42%/Ü世") { id } }') == {
        "sessionByKey": None
    }


async def test_a_foreign_session_is_as_an_absent_one(api: Api, bob: Api, reader: Api) -> None:
    session_id = await api.create("private", key="mine")
    (message_id,) = await api.say(session_id, "secret")
    query = """query ($id: ID!, $message: ID!) {
      session(id: $id) { id } node(id: $id) { id } sessionByKey(key: "mine") { id }
      nodes(ids: [$id, $message]) { id } sessions { edges { node { id } } }
    }"""
    nothing: dict[str, Any] = {
        "session": None,
        "node": None,
        "sessionByKey": None,
        "nodes": [None, None],
        "sessions": {"edges": []},
    }
    assert await bob.run(query, id=session_id, message=message_id) == nothing
    seen = await reader.run(query, id=session_id, message=message_id)
    assert seen["session"] == {"id": session_id}
    assert seen["nodes"] == [{"id": session_id}, {"id": message_id}]
    assert len(seen["sessions"]["edges"]) == 1


async def test_nodes_align_with_their_ids_and_a_bad_id_fails_alone(api: Api) -> None:
    session_id = await api.create()
    (message_id,) = await api.say(session_id, "hello")
    gone = await api.create()
    await api.mutate("deleteSession", "deletedSessionId", sessionId=gone)
    response = await api.respond(
        "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }",
        {"ids": [message_id, gone, session_id, "nonsense", message_id]},
    )
    message = {"__typename": "Message", "id": message_id}
    assert response.data == {
        "nodes": [message, None, {"__typename": "Session", "id": session_id}, None, message]
    }
    (error,) = response.errors
    assert error["path"] == ["nodes", 3]
    assert error["extensions"] == {"code": "INVALID_INPUT", "inputPath": ["ids", "3"]}


async def test_more_than_a_hundred_ids_are_refused(api: Api) -> None:
    session_id = await api.create()
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert len((await api.run(query, ids=[session_id] * 100))["nodes"]) == 100
    error = await api.refuse(query, ids=[session_id] * 101)
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "inputPath": ["ids"]}


async def test_people_agents_and_profiles_are_nodes(api: Api, writer: Api) -> None:
    ids = await load_directory(api.services.backend)
    query = """query ($ids: [ID!]!) { nodes(ids: $ids) {
      __typename id ... on Session { displayName } ... on User { name displayName }
      ... on Agent { name displayName } ... on Profile { name displayName } } }"""
    expected = [
        {"__typename": "Agent", "name": "navi", "displayName": "Navi"},
        {"__typename": "Profile", "name": "research", "displayName": "research"},
        {"__typename": "User", "name": "ada", "displayName": "Ada Lovelace"},
    ]
    asked = [ids["navi"], ids["research"], ids["ada"]]
    found = await api.run(query, ids=asked)
    assert found["nodes"] == [
        {**one, "id": node_id} for one, node_id in zip(expected, asked, strict=True)
    ]
    assert (await api.run(query, ids=[ids["bob"]]))["nodes"] == [None]
    assert (await writer.run(query, ids=[ids["bob"]]))["nodes"][0]["name"] == "bob"


async def test_lists_run_in_every_order_and_both_directions(api: Api) -> None:
    for key, title in (("1", "beta"), ("2", "Alpha"), ("3", None)):
        await api.create(key=key, title=title)
    first = await api.run('{ sessionByKey(key: "1") { id } }')
    await api.say(first["sessionByKey"]["id"], "again")
    assert await keys(api) == ["1", "3", "2"]
    assert await keys(api, orderBy={"field": "CREATED"}) == ["3", "2", "1"]
    assert await keys(api, orderBy={"field": "CREATED", "direction": "ASC"}) == ["1", "2", "3"]
    assert await keys(api, orderBy={"field": "TITLE", "direction": "ASC"}) == ["3", "2", "1"]
    assert await keys(api, orderBy={"field": "TITLE", "direction": "DESC"}) == ["1", "2", "3"]


@pytest.mark.parametrize("field", ["LAST_ACTIVITY", "CREATED", "TITLE"])
@pytest.mark.parametrize("direction", ["ASC", "DESC"])
async def test_pages_of_sessions_join_without_a_seam(api: Api, field: str, direction: str) -> None:
    for number in range(7):
        await api.create(key=str(number), title="same" if number % 2 else None)
    order = {"field": field, "direction": direction}
    everything = await keys(api, orderBy=order)
    assert sorted(everything) == [str(number) for number in range(7)]
    forward: list[str] = []
    cursor = None
    while True:
        page = (await api.run(LIST, first=3, after=cursor, orderBy=order))["sessions"]
        assert page["pageInfo"]["hasPreviousPage"] is bool(forward)
        assert page["pageInfo"]["startCursor"] == page["edges"][0]["cursor"]
        forward += [edge["node"]["key"] for edge in page["edges"]]
        cursor = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    backward: list[str] = []
    cursor = None
    while True:
        page = (await api.run(LIST, last=3, before=cursor, orderBy=order))["sessions"]
        assert page["pageInfo"]["hasNextPage"] is bool(backward)
        backward = [edge["node"]["key"] for edge in page["edges"]] + backward
        cursor = page["pageInfo"]["startCursor"]
        if not page["pageInfo"]["hasPreviousPage"]:
            break
    assert forward == backward == everything


async def test_sessions_are_filtered(api: Api) -> None:
    ids = await load_directory(api.services.backend)
    plain = await api.create(key="plain", title="Über 100% sure")
    marked = await api.create(
        key="marked", channel="slack", agentId=ids["navi"], profileId=ids["research"]
    )
    for name, state in (("pin", "pinned"), ("star", "starred"), ("archive", "archived")):
        await api.mutate(f"{name}Session", "session { id }", sessionId=marked, **{state: True})
    assert await keys(api, filter={"pinned": True}) == ["marked"]
    assert await keys(api, filter={"pinned": False}) == ["plain"]
    assert await keys(api, filter={"starred": True, "archived": True}) == ["marked"]
    assert await keys(api, filter={"archived": False}) == ["plain"]
    assert await keys(api, filter={"channel": "slack"}) == ["marked"]
    assert await keys(api, filter={"agentId": ids["navi"]}) == ["marked"]
    assert await keys(api, filter={"profileId": ids["research"]}) == ["marked"]
    assert await keys(api, filter={"profileId": ids["research"], "pinned": False}) == []
    assert await keys(api, filter={"title": "ÜBER 100%"}) == ["plain"]
    assert await keys(api, filter={"title": "1_0%"}) == []
    updated = await api.run("query ($id: ID!) { session(id: $id) { updatedAt } }", id=plain)
    moment = updated["session"]["updatedAt"]
    assert await keys(api, filter={"updatedUntil": moment}) == []
    assert await keys(api, filter={"updatedSince": moment}) == ["marked", "plain"]


async def test_times_are_taken_with_any_offset_and_refused_without(api: Api) -> None:
    await api.create(key="k")
    assert await keys(api, filter={"updatedSince": "2020-01-01T01:00:00+01:00"}) == ["k"]
    assert await keys(api, filter={"updatedUntil": "2020-01-01T01:00:00.5-08:00"}) == []
    for bad in ("2020-01-01T01:00:00", "2020-01-01", "yesterday", 5, "9999-12-31T23:59:59-12:00"):
        error = await api.refuse(LIST, filter={"updatedSince": bad})
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert "DateTime" in error["message"]


@pytest.mark.parametrize(
    ("variables", "code", "path"),
    [
        ({"first": 1, "last": 1}, "INVALID_INPUT", ["last"]),
        ({"first": -1}, "INVALID_INPUT", ["first"]),
        ({"last": -1}, "INVALID_INPUT", ["last"]),
        ({"first": 101}, "LIMIT_EXCEEDED", ["first"]),
        ({"last": 101}, "LIMIT_EXCEEDED", ["last"]),
        ({"after": "nonsense"}, "INVALID_INPUT", ["after"]),
        ({"before": ""}, "INVALID_INPUT", ["before"]),
        ({"filter": {"agentId": "nonsense"}}, "INVALID_INPUT", ["filter", "agentId"]),
        ({"filter": {"title": "a\x00"}}, "INVALID_INPUT", ["filter", "title"]),
        ({"filter": {"channel": "\ud800"}}, "INVALID_INPUT", ["filter", "channel"]),
        (
            {
                "filter": {
                    "updatedSince": "2021-01-01T00:00:00Z",
                    "updatedUntil": "2020-01-01T00:00:00Z",
                }
            },
            "INVALID_INPUT",
            ["filter", "updatedUntil"],
        ),
    ],
)
async def test_a_wrong_argument_is_an_error_with_a_code_and_its_path(
    api: Api, variables: dict[str, Any], code: str, path: list[str]
) -> None:
    response = await api.respond(LIST, variables)
    assert response.data == {"sessions": None}
    (error,) = response.errors
    assert error["extensions"] == {"code": code, "inputPath": path}
    assert error["path"] == ["sessions"]


async def test_a_cursor_of_another_order_is_refused(api: Api) -> None:
    await api.create()
    cursor = (await api.run(LIST))["sessions"]["pageInfo"]["endCursor"]
    error = await api.refuse(LIST, after=cursor, orderBy={"field": "CREATED"})
    assert error["extensions"] == {"code": "INVALID_INPUT", "inputPath": ["after"]}
    error = await api.refuse(
        LIST, after=cursor, orderBy={"field": "LAST_ACTIVITY", "direction": "ASC"}
    )
    assert error["extensions"]["code"] == "INVALID_INPUT"


async def test_the_page_size_is_configurable(api: Api) -> None:
    for key in "abc":
        await api.create(key=key)
    services = replace(api.services, limits=replace(Limits(), page_size=1, max_page_size=2))
    small = Api(services, api.caller, api.reported)
    assert await keys(small) == ["c"]
    assert await keys(small, first=2) == ["c", "b"]
    error = await small.refuse(LIST, first=3)
    assert error["message"] == "first is 3, a page has at most 2."


async def test_display_names_say_who_a_session_is_with(api: Api, reader: Api) -> None:
    ids = await load_directory(api.services.backend)
    query = "query ($id: ID!) { session(id: $id) { displayName } }"

    async def shown(to: Api, **given: Any) -> str:
        session_id = await api.create(**given)
        name: str = (await to.run(query, id=session_id))["session"]["displayName"]
        return name

    assert await shown(api, agentId=ids["navi"], title="A talk") == "Navi"
    assert await shown(reader, agentId=ids["navi"], title="A talk") == "Ada Lovelace"
    assert await shown(api, title="A talk") == "A talk"
    assert await shown(api, key="telegram:1") == "telegram:1"
    assert await shown(reader, kind="GROUP", title="The crew") == "The crew"
    between = {"kind": "AGENT_TO_AGENT", "agentId": ids["navi"], "peerAgentId": ids["odo"]}
    assert await shown(api, **between) == "Navi - odo"


async def test_times_go_out_in_utc_with_microseconds(api: Api) -> None:
    session_id = await api.create()
    data = await api.run("query ($id: ID!) { session(id: $id) { createdAt } }", id=session_id)

    created = data["session"]["createdAt"]
    assert to_timestamp(datetime.fromisoformat(created)) == created
