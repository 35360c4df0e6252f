"""Changing the messages of a session."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.rules.limits import Limits
from tests.schema.client import Api, user_message

SESSION = "session { revision messageCount archivedMessageCount preview }"


async def revision(api: Api, session_id: str) -> int:
    data = await api.run("query ($id: ID!) { session(id: $id) { revision } }", id=session_id)
    found: int = data["session"]["revision"]
    return found


async def test_messages_are_numbered_in_order_and_come_with_their_edges(api: Api) -> None:
    session_id = await api.create()
    payload = await api.mutate(
        "addMessages",
        f"messages {{ id sequence text }} messageEdges {{ cursor node {{ id }} }} {SESSION}",
        sessionId=session_id,
        messages=[user_message("one"), user_message("two")],
    )
    assert [(m["sequence"], m["text"]) for m in payload["messages"]] == [(1, "one"), (2, "two")]
    assert payload["session"] == {
        "revision": 3,
        "messageCount": 2,
        "archivedMessageCount": 0,
        "preview": "two",
    }
    page = await api.run(
        "query ($id: ID!) { session(id: $id) { messages { edges { cursor node { id } } } } }",
        id=session_id,
    )
    assert page["session"]["messages"]["edges"] == payload["messageEdges"]


async def test_a_repeated_addition_happens_once_and_another_under_its_key_not(api: Api) -> None:
    session_id = await api.create()
    given = {"sessionId": session_id, "message": user_message("one"), "idempotencyKey": "try"}
    fields = "message { id sequence text } messageEdge { cursor }"
    first = await api.mutate("addMessage", fields, **given)
    assert await api.mutate("addMessage", fields, **given) == first
    other = await api.mutate("addMessage", fields, **{**given, "message": user_message("two")})
    assert other["message"] is None
    (error,) = other["userErrors"]
    assert (error["code"], error["currentRevision"]) == ("CONFLICT", 2)
    assert await api.texts(session_id) == ["one"]


async def test_a_replayed_addition_gives_the_message_as_it_is_now(api: Api) -> None:
    session_id = await api.create()
    given = {"sessionId": session_id, "message": user_message("one"), "idempotencyKey": "try"}
    first = await api.mutate("addMessage", "message { id }", **given)
    message_id = first["message"]["id"]
    await api.mutate("editMessage", "", messageId=message_id, parts=[{"text": {"text": "edited"}}])
    again = await api.mutate("addMessage", "message { text }", **given)
    assert again["message"] == {"text": "edited"}
    await api.mutate("deleteMessage", "", messageId=message_id)
    again = await api.mutate("addMessage", "message { text }", **given)
    assert again == {"message": None, "userErrors": []}
    assert await api.texts(session_id) == []


async def test_an_edit_replaces_what_is_given_and_nothing_else(api: Api) -> None:
    session_id = await api.create()
    added = await api.mutate(
        "addMessage",
        "message { id }",
        sessionId=session_id,
        message={**user_message("draft"), "status": "STREAMING", "metadata": {"a": 1}},
    )
    message_id = added["message"]["id"]
    fields = f"message {{ id text status model metadata editedAt sequence }} {SESSION}"
    payload = await api.mutate(
        "editMessage",
        fields,
        messageId=message_id,
        parts=[{"text": {"text": "final"}}],
        status="COMPLETE",
    )
    assert payload["message"].pop("editedAt") is not None
    assert payload["message"] == {
        "id": message_id,
        "text": "final",
        "status": "COMPLETE",
        "model": None,
        "metadata": {"a": 1},
        "sequence": 1,
    }
    assert (payload["session"]["preview"], payload["session"]["revision"]) == ("final", 3)


async def test_an_edit_of_nothing_is_refused(api: Api) -> None:
    session_id = await api.create()
    (message_id,) = await api.say(session_id, "a")
    payload = await api.mutate("editMessage", "message { id }", messageId=message_id)
    assert [(e["code"], e["path"]) for e in payload["userErrors"]] == [("INVALID_INPUT", None)]
    assert await revision(api, session_id) == 2


async def test_a_deleted_message_leaves_its_number_unused(api: Api) -> None:
    session_id = await api.create()
    ids = await api.say(session_id, "a", "b")
    payload = await api.mutate("deleteMessage", f"deletedMessageId {SESSION}", messageId=ids[1])
    assert payload["deletedMessageId"] == ids[1]
    assert payload["session"]["messageCount"] == 1
    assert payload["session"]["preview"] == "a"
    added = await api.mutate(
        "addMessage", "message { sequence }", sessionId=session_id, message=user_message("c")
    )
    assert added["message"] == {"sequence": 3}
    again = await api.mutate("deleteMessage", "deletedMessageId", messageId=ids[1])
    assert again["deletedMessageId"] is None
    assert [error["code"] for error in again["userErrors"]] == ["NOT_FOUND"]


async def test_a_session_is_cut_off_after_a_message(api: Api) -> None:
    session_id = await api.create()
    ids = await api.say(session_id, "a", "b", "c")
    payload = await api.mutate(
        "truncateMessages",
        f"deletedCount {SESSION}",
        sessionId=session_id,
        afterMessageId=ids[0],
    )
    assert payload["deletedCount"] == 2
    assert payload["session"]["messageCount"] == 1
    assert await api.texts(session_id) == ["a"]


async def test_everything_is_deleted_only_when_that_is_said(api: Api) -> None:
    session_id = await api.create("a", "b")
    for given in ({}, {"all": False}, {"afterMessageId": None}):
        payload = await api.mutate(
            "truncateMessages", "deletedCount", sessionId=session_id, **given
        )
        assert payload["deletedCount"] is None
        (error,) = payload["userErrors"]
        assert (error["code"], error["path"]) == ("INVALID_INPUT", ["input", "afterMessageId"])
    assert await api.texts(session_id) == ["a", "b"]
    payload = await api.mutate("truncateMessages", "deletedCount", sessionId=session_id, all=True)
    assert payload["deletedCount"] == 2
    assert await api.texts(session_id) == []


async def test_a_cut_takes_no_message_of_another_session(api: Api) -> None:
    session_id = await api.create("a")
    (theirs,) = await api.say(await api.create(), "b")
    payload = await api.mutate(
        "truncateMessages", "deletedCount", sessionId=session_id, afterMessageId=theirs
    )
    (error,) = payload["userErrors"]
    assert (error["code"], error["path"]) == ("INVALID_INPUT", ["input", "afterMessageId"])
    assert await api.texts(session_id) == ["a"]


async def test_messages_are_archived_up_to_one(api: Api) -> None:
    session_id = await api.create()
    ids = await api.say(session_id, "a", "b", "c")
    payload = await api.mutate(
        "archiveMessages", f"archivedCount {SESSION}", throughMessageId=ids[1]
    )
    assert payload["archivedCount"] == 2
    assert payload["session"]["archivedMessageCount"] == 2
    assert await api.texts(session_id, "ACTIVE") == ["c"]
    assert await api.texts(session_id, "ARCHIVED") == ["a", "b"]


async def test_all_messages_are_replaced_at_once(api: Api) -> None:
    session_id = await api.create("a", "b")
    payload = await api.mutate(
        "replaceMessages",
        f"deletedCount messages {{ sequence text }} messageEdges {{ node {{ text }} }} {SESSION}",
        sessionId=session_id,
        messages=[user_message("x")],
    )
    assert payload["deletedCount"] == 2
    assert payload["messages"] == [{"sequence": 3, "text": "x"}]
    assert payload["messageEdges"] == [{"node": {"text": "x"}}]
    assert payload["session"]["messageCount"] == 1
    emptied = await api.mutate(
        "replaceMessages", "deletedCount messages { id }", sessionId=session_id, messages=[]
    )
    assert (emptied["deletedCount"], emptied["messages"]) == (1, [])
    assert await api.texts(session_id) == []


@pytest.mark.parametrize(
    ("mutation", "given"),
    [
        ("editMessage", {"status": "FAILED"}),
        ("deleteMessage", {}),
        ("truncateMessages", {"all": True}),
        ("archiveMessages", {}),
        ("replaceMessages", {"messages": []}),
    ],
)
async def test_a_change_of_what_is_no_longer_so_is_a_conflict(
    api: Api, mutation: str, given: dict[str, Any]
) -> None:
    session_id = await api.create()
    (message_id,) = await api.say(session_id, "a")
    target = {
        "archiveMessages": {"throughMessageId": message_id},
        "editMessage": {"messageId": message_id},
        "deleteMessage": {"messageId": message_id},
    }.get(mutation, {"sessionId": session_id})
    payload = await api.mutate(mutation, "", **target, **given, expectedRevision=1)
    (error,) = payload["userErrors"]
    assert (error["__typename"], error["currentRevision"]) == ("ConflictError", 2)
    assert await revision(api, session_id) == 2
    negative = await api.mutate(mutation, "", **target, **given, expectedRevision=-1)
    assert [e["path"] for e in negative["userErrors"]] == [["input", "expectedRevision"]]
    done = await api.mutate(mutation, "", **target, **given, expectedRevision=2)
    assert done["userErrors"] == []
    assert await revision(api, session_id) > 2


@pytest.mark.parametrize(
    ("message", "code", "path"),
    [
        ({"parts": [{"text": {"text": "a\x00"}}]}, "INVALID_INPUT", ["parts", "0", "text", "text"]),
        (
            {"parts": [{"text": {"text": "\ud800"}}]},
            "INVALID_INPUT",
            ["parts", "0", "text", "text"],
        ),
        (
            {"parts": [{"toolCall": {"toolCallId": "", "name": "n", "argumentsText": ""}}]},
            "INVALID_INPUT",
            ["parts", "0", "toolCall", "toolCallId"],
        ),
        (
            {"parts": [{"toolCall": {"toolCallId": "1", "name": "n", "argumentsText": "\x00"}}]},
            "INVALID_INPUT",
            ["parts", "0", "toolCall", "argumentsText"],
        ),
        (
            {"parts": [{"image": {"url": "javascript:alert(1)"}}]},
            "INVALID_INPUT",
            ["parts", "0", "image", "url"],
        ),
        (
            {"parts": [{"file": {"url": "https://x", "size": "-1"}}]},
            "INVALID_INPUT",
            ["parts", "0", "file", "size"],
        ),
        (
            {"parts": [{"other": {"kind": "text", "data": {}}}]},
            "INVALID_INPUT",
            ["parts", "0", "other", "kind"],
        ),
        (
            {"parts": [{"other": {"kind": "x", "data": [1]}}]},
            "INVALID_INPUT",
            ["parts", "0", "other", "data"],
        ),
        (
            {"parts": [{"other": {"kind": "x", "data": {"type": "y"}}}]},
            "INVALID_INPUT",
            ["parts", "0", "other", "data", "type"],
        ),
        (
            {"parts": [{"text": {"text": "a"}}] * 101},
            "LIMIT_EXCEEDED",
            ["parts"],
        ),
        ({"parts": [{"text": {"text": "x" * 1_000_001}}]}, "LIMIT_EXCEEDED", ["parts"]),
        ({"parts": [], "usage": 7}, "INVALID_INPUT", ["usage"]),
        ({"parts": [], "metadata": "x"}, "INVALID_INPUT", ["metadata"]),
        ({"parts": [], "metadata": []}, "INVALID_INPUT", ["metadata"]),
        ({"parts": [], "usage": 0}, "INVALID_INPUT", ["usage"]),
        ({"parts": [], "metadata": {"k\x00": 1}}, "INVALID_INPUT", ["metadata"]),
        ({"parts": [], "model": "m" * 201}, "LIMIT_EXCEEDED", ["model"]),
        ({"parts": [], "sender": {"agentId": "x"}}, "INVALID_INPUT", ["sender", "agentId"]),
        ({"parts": [], "sender": {"name": "\x00"}}, "INVALID_INPUT", ["sender", "name"]),
    ],
)
async def test_a_wrong_message_is_refused_with_its_path_and_none_is_added(
    api: Api, message: dict[str, Any], code: str, path: list[str]
) -> None:
    session_id = await api.create()
    payload = await api.mutate(
        "addMessages",
        "messages { id } messageEdges { cursor } session { id }",
        sessionId=session_id,
        messages=[user_message("fine"), {"role": "USER", **message}],
    )
    (error,) = payload.pop("userErrors")
    assert (error["code"], error["path"]) == (code, ["input", "messages", "1", *path])
    assert payload == {"messages": None, "messageEdges": None, "session": None}
    assert await revision(api, session_id) == 1


async def test_json_that_is_nested_too_deeply_is_refused(api: Api) -> None:
    deep: dict[str, Any] = {}
    for _ in range(40):
        deep = {"a": deep}
    payload = await api.mutate(
        "addMessage",
        "message { id }",
        sessionId=await api.create(),
        message={"role": "USER", "parts": [], "metadata": deep},
    )
    (error,) = payload["userErrors"]
    assert error["code"] == "LIMIT_EXCEEDED"
    assert error["path"] == ["input", "message", "metadata", *["a"] * 32]


@pytest.mark.parametrize(
    "part", [{}, {"text": {"text": "a"}, "other": {"kind": "x", "data": {}}}, {"text": None}]
)
async def test_a_part_is_of_exactly_one_kind(api: Api, part: dict[str, Any]) -> None:
    session_id = await api.create()
    error = await api.refuse(
        "mutation ($i: AddMessagesInput!) { addMessages(input: $i) { messages { id } } }",
        i={"sessionId": session_id, "messages": [{"role": "USER", "parts": [part]}]},
    )
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert await revision(api, session_id) == 1


async def test_more_messages_than_allowed_and_none_at_all_are_refused(api: Api) -> None:
    limits = replace(Limits(), messages_per_mutation=2)
    small = Api(replace(api.services, limits=limits), api.caller, api.reported)
    session_id = await small.create()
    for count, code in ((3, "LIMIT_EXCEEDED"), (0, "INVALID_INPUT")):
        payload = await small.mutate(
            "addMessages",
            "session { id }",
            sessionId=session_id,
            messages=[user_message("a")] * count,
        )
        (error,) = payload["userErrors"]
        assert (error["code"], error["path"]) == (code, ["input", "messages"])
    assert await revision(small, session_id) == 1


@pytest.mark.parametrize(
    ("mutation", "argument"),
    [
        ("editMessage", "messageId"),
        ("deleteMessage", "messageId"),
        ("archiveMessages", "throughMessageId"),
    ],
)
async def test_a_foreign_message_looks_as_an_absent_one(
    api: Api, bob: Api, mutation: str, argument: str
) -> None:
    session_id = await api.create()
    (message_id,) = await api.say(session_id, "a")
    extra: dict[str, Any] = {"parts": []} if mutation == "editMessage" else {}
    payload = await bob.mutate(mutation, "", **{argument: message_id}, **extra)
    gone = await bob.create()
    (absent_id,) = await bob.say(gone, "x")
    await bob.mutate("deleteSession", "", sessionId=gone)
    absent = await bob.mutate(mutation, "", **{argument: absent_id}, **extra)
    assert payload == absent
    assert [error["code"] for error in payload["userErrors"]] == ["NOT_FOUND"]
    assert await revision(api, session_id) == 2
    assert await api.texts(session_id, "ACTIVE") == ["a"]


async def test_an_error_of_the_one_message_names_the_input_of_one(api: Api) -> None:
    session_id = await api.create()
    refused = await api.mutate(
        "addMessage",
        "message { id }",
        sessionId=session_id,
        message={"role": "USER", "parts": [{"image": {"url": "javascript:alert(1)"}}]},
    )
    assert [error["path"] for error in refused["userErrors"]] == [
        ["input", "message", "parts", "0", "image", "url"]
    ]
    assert await api.texts(session_id) == []


async def test_a_repeated_edit_gives_its_first_result_when_the_message_is_gone(api: Api) -> None:
    session_id = await api.create()
    (message_id,) = await api.say(session_id, "hello")
    given = {"messageId": message_id, "parts": [{"text": {"text": "hi"}}], "idempotencyKey": "k"}
    first = await api.mutate("editMessage", "message { text } session { revision }", **given)
    assert first["message"] == {"text": "hi"}
    await api.mutate("deleteMessage", "", messageId=message_id)
    again = await api.mutate("editMessage", "message { text } session { id }", **given)
    assert again == {"message": None, "session": {"id": session_id}, "userErrors": []}


async def test_an_edit_of_a_message_that_is_gone_is_not_found(api: Api) -> None:
    session_id = await api.create()
    (message_id,) = await api.say(session_id, "hello")
    await api.mutate("deleteMessage", "", messageId=message_id)
    payload = await api.mutate(
        "editMessage", "message { text }", messageId=message_id, parts=[{"text": {"text": "hi"}}]
    )
    assert payload["message"] is None
    assert [error["code"] for error in payload["userErrors"]] == ["NOT_FOUND"]
