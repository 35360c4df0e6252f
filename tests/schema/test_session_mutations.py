"""Changing a session as a whole."""

from __future__ import annotations

from typing import Any

import pytest

from tests.schema.client import Api
from tests.schema.loading import load_directory

STATE = "query ($id: ID!) { session(id: $id) { revision title pinnedAt starredAt archivedAt } }"


async def state(api: Api, session_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await api.run(STATE, id=session_id))["session"]
    return found


async def count_sessions(api: Api) -> int:
    data = await api.run("{ sessions(first: 100) { edges { node { id } } } }")
    return len(data["sessions"]["edges"])


async def test_a_session_is_created_with_all_that_is_given(api: Api) -> None:
    ids = await load_directory(api.services.backend)
    payload = await api.mutate(
        "createSession",
        """existing session { id key title kind channel metadata messageCount preview revision
        owner { displayName } agent { id } peerAgent { id } profile { id } forkedFrom { id } }
        sessionEdge { cursor node { key } } query { sessions { edges { cursor } } }""",
        key="k",
        title="T",
        agentId=ids["navi"],
        profileId=ids["research"],
        channel="web",
        metadata={"a": 1},
    )
    session = payload["session"]
    assert session.pop("id")
    assert session == {
        "key": "k",
        "title": "T",
        "kind": "DIRECT",
        "channel": "web",
        "metadata": {"a": 1},
        "messageCount": 0,
        "preview": None,
        "revision": 1,
        "owner": {"displayName": "Ada Lovelace"},
        "agent": {"id": ids["navi"]},
        "peerAgent": None,
        "profile": {"id": ids["research"]},
        "forkedFrom": None,
    }
    assert payload["existing"] is False
    assert payload["sessionEdge"]["node"] == {"key": "k"}
    assert payload["query"]["sessions"]["edges"] == [{"cursor": payload["sessionEdge"]["cursor"]}]
    assert payload["userErrors"] == []


async def test_a_session_without_a_key_has_one_of_its_own(api: Api) -> None:
    first = await api.mutate("createSession", "session { key }")
    second = await api.mutate("createSession", "session { key }")
    assert first["session"]["key"] != second["session"]["key"]


async def test_a_taken_key_is_a_conflict_or_gives_the_session_that_has_it(
    api: Api, bob: Api
) -> None:
    session_id = await api.create(key="k", title="first")
    refused = await api.mutate("createSession", "session { id } existing", key="k", title="other")
    assert refused["session"] is None
    (error,) = refused["userErrors"]
    assert (error["__typename"], error["code"]) == ("ConflictError", "CONFLICT")
    assert error["current"] == {"id": session_id}
    got = await api.mutate(
        "createSession", "session { id title } existing", key="k", title="other", ifExists="RETURN"
    )
    assert got["session"] == {"id": session_id, "title": "first"}
    assert got["existing"] is True
    assert (await state(api, session_id))["revision"] == 1
    assert await bob.create(key="k") != session_id


async def test_a_repeated_creation_happens_once(api: Api) -> None:
    first = await api.mutate("createSession", "session { id }", title="T", idempotencyKey="try-1")
    again = await api.mutate("createSession", "session { id }", title="T", idempotencyKey="try-1")
    assert again == first
    assert await count_sessions(api) == 1
    other = await api.mutate("createSession", "session { id }", title="U", idempotencyKey="try-1")
    assert other["session"] is None
    assert [error["code"] for error in other["userErrors"]] == ["CONFLICT"]
    assert await count_sessions(api) == 1


async def test_a_repeated_creation_of_a_session_deleted_since_is_not_found(api: Api) -> None:
    session_id = await api.create(idempotencyKey="try-1")
    await api.mutate("deleteSession", "deletedSessionId", sessionId=session_id)
    again = await api.mutate("createSession", "session { id }", idempotencyKey="try-1")
    assert again["session"] is None
    assert [error["code"] for error in again["userErrors"]] == ["NOT_FOUND"]
    assert await count_sessions(api) == 0


async def test_the_same_idempotency_key_of_two_callers_makes_two_sessions(
    api: Api, bob: Api
) -> None:
    assert await api.create(idempotencyKey="1") != await bob.create(idempotencyKey="1")


@pytest.mark.parametrize(
    ("given", "code", "path"),
    [
        ({"key": ""}, "INVALID_INPUT", ["input", "key"]),
        ({"key": "a\x00b"}, "INVALID_INPUT", ["input", "key"]),
        ({"key": "k" * 501}, "LIMIT_EXCEEDED", ["input", "key"]),
        ({"title": " \n"}, "INVALID_INPUT", ["input", "title"]),
        ({"title": "t" * 501}, "LIMIT_EXCEEDED", ["input", "title"]),
        ({"channel": ""}, "INVALID_INPUT", ["input", "channel"]),
        ({"channel": "\udfff"}, "INVALID_INPUT", ["input", "channel"]),
        ({"metadata": []}, "INVALID_INPUT", ["input", "metadata"]),
        ({"metadata": {"a": ["\x00"]}}, "INVALID_INPUT", ["input", "metadata", "a", "0"]),
        ({"metadata": {"a": 2**64}}, "INVALID_INPUT", ["input", "metadata", "a"]),
        ({"metadata": {"a": float("nan")}}, "INVALID_INPUT", ["input", "metadata", "a"]),
        ({"metadata": {"a": "x" * 70_000}}, "LIMIT_EXCEEDED", ["input", "metadata"]),
        ({"agentId": "nonsense"}, "INVALID_INPUT", ["input", "agentId"]),
        ({"agentId": "QW5vYm9keQ"}, "NOT_FOUND", ["input", "agentId"]),
        ({"profileId": "UG5vbmU"}, "NOT_FOUND", ["input", "profileId"]),
        ({"profileId": "QW5vYm9keQ"}, "INVALID_INPUT", ["input", "profileId"]),
        ({"kind": "AGENT_TO_AGENT"}, "INVALID_INPUT", ["input", "peerAgentId"]),
        ({"peerAgentId": "QW5hdmk"}, "INVALID_INPUT", ["input", "peerAgentId"]),
        ({"ifExists": "RETURN"}, "INVALID_INPUT", ["input", "ifExists"]),
        ({"idempotencyKey": ""}, "INVALID_INPUT", ["input", "idempotencyKey"]),
        ({"idempotencyKey": "k" * 256}, "LIMIT_EXCEEDED", ["input", "idempotencyKey"]),
    ],
)
async def test_a_wrong_session_is_refused_with_the_path_and_not_created(
    api: Api, given: dict[str, Any], code: str, path: list[str]
) -> None:
    payload = await api.mutate(
        "createSession", "session { id } existing sessionEdge { cursor }", **given
    )
    (error,) = payload.pop("userErrors")
    assert (error["code"], error["path"]) == (code, path)
    assert payload == {"session": None, "existing": None, "sessionEdge": None}
    assert await count_sessions(api) == 0


async def test_a_title_is_set_and_taken_away(api: Api) -> None:
    session_id = await api.create()
    renamed = await api.mutate(
        "renameSession", "session { title }", sessionId=session_id, title="T"
    )
    assert renamed["session"] == {"title": "T"}
    renamed = await api.mutate(
        "renameSession", "session { title }", sessionId=session_id, title=None
    )
    assert renamed["session"] == {"title": None}
    assert (await state(api, session_id))["revision"] == 3


@pytest.mark.parametrize(
    ("mutation", "argument", "mark"),
    [
        ("pinSession", "pinned", "pinnedAt"),
        ("starSession", "starred", "starredAt"),
        ("archiveSession", "archived", "archivedAt"),
    ],
)
async def test_a_mark_is_set_once_and_taken_away(
    api: Api, mutation: str, argument: str, mark: str
) -> None:
    session_id = await api.create()
    fields = f"session {{ revision {mark} }}"
    on = await api.mutate(mutation, fields, sessionId=session_id, **{argument: True})
    assert on["session"]["revision"] == 2
    assert on["session"][mark] is not None
    assert await api.mutate(mutation, fields, sessionId=session_id, **{argument: True}) == on
    off = await api.mutate(mutation, fields, sessionId=session_id, **{argument: False})
    assert off["session"] == {"revision": 3, mark: None}


async def test_a_deleted_session_is_gone_with_its_messages(api: Api) -> None:
    session_id = await api.create()
    (message_id,) = await api.say(session_id, "hello")
    payload = await api.mutate("deleteSession", "deletedSessionId", sessionId=session_id)
    assert payload == {"deletedSessionId": session_id, "userErrors": []}
    found = await api.run(
        "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[session_id, message_id]
    )
    assert found["nodes"] == [None, None]
    again = await api.mutate("deleteSession", "deletedSessionId", sessionId=session_id)
    assert again["deletedSessionId"] is None
    assert [error["code"] for error in again["userErrors"]] == ["NOT_FOUND"]


async def test_a_repeated_deletion_is_the_first_one(api: Api) -> None:
    session_id = await api.create()
    given = {"sessionId": session_id, "idempotencyKey": "gone"}
    first = await api.mutate("deleteSession", "deletedSessionId", **given)
    assert await api.mutate("deleteSession", "deletedSessionId", **given) == first


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("renameSession", {"title": "stolen"}),
    ("pinSession", {"pinned": True}),
    ("starSession", {"starred": True}),
    ("archiveSession", {"archived": True}),
    ("deleteSession", {}),
    ("addMessages", {"messages": [{"role": "USER", "parts": [{"text": {"text": "x"}}]}]}),
    ("replaceMessages", {"messages": []}),
    ("truncateMessages", {"all": True}),
]


@pytest.mark.parametrize(("mutation", "given"), CHANGES)
async def test_a_foreign_session_cannot_be_changed_and_looks_absent(
    api: Api, bob: Api, mutation: str, given: dict[str, Any]
) -> None:
    session_id = await api.create("hello", title="mine")
    before = await state(api, session_id)
    payload = await bob.mutate(mutation, "", sessionId=session_id, **given)
    absent = await bob.mutate(mutation, "", sessionId=await _deleted(bob), **given)
    assert payload == absent
    assert [error["code"] for error in payload["userErrors"]] == ["NOT_FOUND"]
    assert await state(api, session_id) == before


async def _deleted(api: Api) -> str:
    session_id = await api.create()
    await api.mutate("deleteSession", "deletedSessionId", sessionId=session_id)
    return session_id


@pytest.mark.parametrize(("mutation", "given"), CHANGES)
async def test_who_may_read_everything_is_told_that_changing_is_forbidden(
    api: Api, reader: Api, mutation: str, given: dict[str, Any]
) -> None:
    session_id = await api.create("hello")
    before = await state(api, session_id)
    payload = await reader.mutate(mutation, "", sessionId=session_id, **given)
    assert [error["code"] for error in payload["userErrors"]] == ["FORBIDDEN"]
    assert [error["__typename"] for error in payload["userErrors"]] == ["ForbiddenError"]
    assert await state(api, session_id) == before


async def test_who_may_write_everything_changes_the_sessions_of_others(
    api: Api, writer: Api
) -> None:
    session_id = await api.create()
    payload = await writer.mutate(
        "renameSession", "session { title owner { name } }", sessionId=session_id, title="T"
    )
    assert payload["session"] == {"title": "T", "owner": {"name": "ada"}}
    assert (await state(api, session_id))["title"] == "T"


async def test_the_fields_of_a_payload_are_read_after_the_change(api: Api) -> None:
    session_id = await api.create("one")
    data = await api.run(
        """mutation ($id: ID!) {
          first: renameSession(input: {sessionId: $id, title: "A"}) {
            query { session(id: $id) { title messageCount } } }
          second: addMessage(input: {sessionId: $id, message: {role: USER, parts: []}}) {
            query { session(id: $id) { title messageCount } } }
          third: renameSession(input: {sessionId: $id, title: "B"}) {
            query { session(id: $id) { title messageCount } } }
        }""",
        id=session_id,
    )
    assert [data[name]["query"]["session"] for name in ("first", "second", "third")] == [
        {"title": "A", "messageCount": 1},
        {"title": "A", "messageCount": 2},
        {"title": "B", "messageCount": 2},
    ]


async def test_a_wrong_id_is_an_error_that_names_the_argument(api: Api) -> None:
    payload = await api.mutate("pinSession", "session { id }", sessionId="nonsense", pinned=True)
    (error,) = payload["userErrors"]
    assert (error["__typename"], error["path"]) == ("InvalidInputError", ["input", "sessionId"])


async def test_getting_or_creating_can_be_repeated_under_any_attempt(api: Api) -> None:
    """What makes it repeatable is the session's key, so an attempt's name can't spoil it."""
    fields = "session { key } existing"
    given = {"ifExists": "RETURN", "idempotencyKey": "c"}
    there = await api.mutate("createSession", "session { key }", key="a")
    assert there["session"] == {"key": "a"}
    for key, existing in (("a", True), ("b", False), ("a", True), ("b", True)):
        payload = await api.mutate("createSession", fields, key=key, **given)
        assert payload == {"session": {"key": key}, "existing": existing, "userErrors": []}
    assert await count_sessions(api) == 2
