"""Reading messages: pages, scopes, parts."""

from __future__ import annotations

from typing import Any

import pytest

from app.schema.part import DEEPEST_ARGUMENTS
from tests.schema.client import Api
from tests.schema.loading import load_directory

PAGE = """
query ($id: ID!, $first: Int, $after: String, $last: Int, $before: String,
       $scope: MessageScope! = ACTIVE) {
  session(id: $id) {
    messages(first: $first, after: $after, last: $last, before: $before, scope: $scope) {
      edges { cursor node { text } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}
"""

AROUND = """
query ($id: ID!, $message: ID!, $before: Int, $after: Int) {
  session(id: $id) {
    messagesAround(messageId: $message, before: $before, after: $after) {
      edges { node { text } }
      pageInfo { hasNextPage hasPreviousPage }
    }
  }
}
"""


async def read(api: Api, session_id: str, **variables: Any) -> tuple[list[str], dict[str, Any]]:
    data = await api.run(PAGE, id=session_id, **variables)
    page = data["session"]["messages"]
    return [edge["node"]["text"] for edge in page["edges"]], page["pageInfo"]


async def test_the_newest_page_comes_in_the_order_of_the_conversation(api: Api) -> None:
    session_id = await api.create("1", "2", "3", "4", "5")
    texts, info = await read(api, session_id, last=2)
    assert texts == ["4", "5"]
    assert (info["hasPreviousPage"], info["hasNextPage"]) == (True, False)
    texts, info = await read(api, session_id, last=2, before=info["startCursor"])
    assert texts == ["2", "3"]
    assert (info["hasPreviousPage"], info["hasNextPage"]) == (True, True)
    texts, info = await read(api, session_id, last=2, before=info["startCursor"])
    assert texts == ["1"]
    assert (info["hasPreviousPage"], info["hasNextPage"]) == (False, True)


async def test_a_client_catches_up_after_its_last_cursor(api: Api) -> None:
    session_id = await api.create("1", "2")
    _, info = await read(api, session_id, last=50)
    seen = info["endCursor"]
    assert (await read(api, session_id, first=100, after=seen))[0] == []
    await api.say(session_id, "3", "4")
    texts, info = await read(api, session_id, first=100, after=seen)
    assert texts == ["3", "4"]
    assert (info["hasPreviousPage"], info["hasNextPage"]) == (True, False)


async def test_an_empty_session_has_a_page_without_cursors(api: Api) -> None:
    texts, info = await read(api, await api.create(), last=50)
    assert texts == []
    assert info == {
        "hasNextPage": False,
        "hasPreviousPage": False,
        "startCursor": None,
        "endCursor": None,
    }


async def test_scrolling_goes_from_active_into_archived_messages_without_a_seam(api: Api) -> None:
    session_id = await api.create()
    ids = await api.say(session_id, "1", "2", "3", "4")
    await api.mutate("archiveMessages", "archivedCount", throughMessageId=ids[1])
    assert (await read(api, session_id))[0] == ["3", "4"]
    assert (await read(api, session_id, scope="ARCHIVED"))[0] == ["1", "2"]
    texts, info = await read(api, session_id, last=3, scope="ALL")
    assert texts == ["2", "3", "4"]
    assert info["hasPreviousPage"] is True
    data = await api.run(
        "query ($id: ID!, $c: String!) { session(id: $id) { hasArchivedMessages"
        " archivedMessageCount archivedMessages(last: 9, before: $c) {"
        " edges { node { text archivedAt } } } } }",
        id=session_id,
        c=info["startCursor"],
    )
    session = data["session"]
    assert (session["hasArchivedMessages"], session["archivedMessageCount"]) == (True, 2)
    (edge,) = session["archivedMessages"]["edges"]
    assert edge["node"]["text"] == "1"
    assert edge["node"]["archivedAt"] is not None


async def test_a_jump_shows_what_stands_around_a_message(api: Api) -> None:
    session_id = await api.create()
    ids = await api.say(session_id, *"abcdefg")
    await api.mutate("archiveMessages", "archivedCount", throughMessageId=ids[2])

    async def around(message: str, **sides: int) -> tuple[str, bool, bool]:
        data = await api.run(AROUND, id=session_id, message=message, **sides)
        page = data["session"]["messagesAround"]
        info = page["pageInfo"]
        texts = "".join(edge["node"]["text"] for edge in page["edges"])
        return texts, info["hasPreviousPage"], info["hasNextPage"]

    assert await around(ids[3], before=2, after=1) == ("bcde", True, True)
    assert await around(ids[3], before=3, after=3) == ("abcdefg", False, False)
    assert await around(ids[3]) == ("abcdefg", False, False)
    assert await around(ids[3], before=0, after=0) == ("d", True, True)
    assert await around(ids[6], before=1, after=5) == ("fg", True, False)
    assert await around(ids[0], before=5, after=0) == ("a", False, True)
    await api.mutate("deleteMessage", "deletedMessageId", messageId=ids[3])
    assert await around(ids[3], before=0, after=1) == ("ce", True, True)


async def test_a_jump_refuses_foreign_messages_and_too_many(api: Api) -> None:
    session_id = await api.create()
    (mine,) = await api.say(session_id, "a")
    other = await api.create()
    (theirs,) = await api.say(other, "b")
    for variables, code, path in (
        ({"message": theirs}, "INVALID_INPUT", ["messageId"]),
        ({"message": session_id}, "INVALID_INPUT", ["messageId"]),
        ({"message": mine, "before": -1}, "INVALID_INPUT", ["before"]),
        ({"message": mine, "before": 50, "after": 50}, "LIMIT_EXCEEDED", ["after"]),
    ):
        error = await api.refuse(AROUND, id=session_id, **variables)
        assert error["extensions"] == {"code": code, "inputPath": path}


async def test_a_cursor_of_another_session_is_refused(api: Api) -> None:
    session_id, other = await api.create("a"), await api.create("b")
    _, info = await read(api, session_id)
    error = await api.refuse(PAGE, id=other, after=info["endCursor"])
    assert error["extensions"] == {"code": "INVALID_INPUT", "inputPath": ["after"]}


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"first": 2, "last": 2}, "INVALID_INPUT"),
        ({"first": -2}, "INVALID_INPUT"),
        ({"last": 101}, "LIMIT_EXCEEDED"),
        ({"before": "AAAA"}, "INVALID_INPUT"),
    ],
)
async def test_a_wrong_page_of_messages_is_refused(
    api: Api, variables: dict[str, Any], code: str
) -> None:
    error = await api.refuse(PAGE, id=await api.create(), **variables)
    assert error["extensions"]["code"] == code


PARTS = """
text parts { __typename index
  ... on TextPart { text }
  ... on ReasoningPart { text signature }
  ... on ImagePart { url mediaType detail alt }
  ... on AudioPart { url mediaType transcript }
  ... on FilePart { url fileName mediaType size }
  ... on ToolCallPart { toolCallId name argumentsText arguments }
  ... on ToolResultPart { toolCallId text toolName isError }
  ... on OtherPart { kind data } }
"""

GIVEN: list[dict[str, Any]] = [
    {"text": {"text": '{"looks": "like JSON"}'}},
    {"reasoning": {"text": "hm", "signature": "s"}},
    {"image": {"url": "https://x/y.png", "mediaType": "image/png", "detail": "low", "alt": "y"}},
    {"audio": {"url": "data:audio/wav;base64,AA==", "transcript": "hi"}},
    {"file": {"url": "https://x/f", "fileName": "f.pdf", "size": str(2**53 + 1)}},
    {"toolCall": {"toolCallId": "1", "name": "look", "argumentsText": '{"a": [1, 2.5, null]}'}},
    {"toolCall": {"toolCallId": "2", "name": "look", "argumentsText": '{"a": '}},
    {"toolResult": {"toolCallId": "1", "text": "found", "isError": True}},
    {"other": {"kind": "citation", "data": {"page": 3}}},
    {"text": {"text": "second"}},
]
SHOWN: list[dict[str, Any]] = [
    {"__typename": "TextPart", "text": '{"looks": "like JSON"}'},
    {"__typename": "ReasoningPart", "text": "hm", "signature": "s"},
    {"__typename": "ImagePart", **GIVEN[2]["image"]},
    {
        "__typename": "AudioPart",
        "url": "data:audio/wav;base64,AA==",
        "mediaType": None,
        "transcript": "hi",
    },
    {
        "__typename": "FilePart",
        "url": "https://x/f",
        "fileName": "f.pdf",
        "mediaType": None,
        "size": "9007199254740993",
    },
    {"__typename": "ToolCallPart", **GIVEN[5]["toolCall"], "arguments": {"a": [1, 2.5, None]}},
    {"__typename": "ToolCallPart", **GIVEN[6]["toolCall"], "arguments": None},
    {
        "__typename": "ToolResultPart",
        "toolCallId": "1",
        "text": "found",
        "toolName": None,
        "isError": True,
    },
    {"__typename": "OtherPart", "kind": "citation", "data": {"page": 3}},
    {"__typename": "TextPart", "text": "second"},
]


async def test_parts_of_every_kind_come_back_as_they_were_given(api: Api) -> None:
    session_id = await api.create()
    payload = await api.mutate(
        "addMessages",
        f"messages {{ {PARTS} }}",
        sessionId=session_id,
        messages=[{"role": "ASSISTANT", "parts": GIVEN}],
    )
    assert payload["userErrors"] == []
    (answered,) = payload["messages"]
    assert answered["parts"] == [{**part, "index": index} for index, part in enumerate(SHOWN)]
    assert answered["text"] == '{"looks": "like JSON"}\nsecond'
    stored = await api.run(
        "query ($id: ID!) { session(id: $id) { messages { edges { node {"
        f"{PARTS} }} }} }} }} }}",
        id=session_id,
    )
    assert stored["session"]["messages"]["edges"][0]["node"] == answered


@pytest.mark.parametrize(
    ("written", "arguments"),
    [
        ("", None),
        ("null", None),
        ("NaN", None),
        ('"text"', "text"),
        ('{"a":1} trailing', None),
        ('{"a":"\\ud800"}', None),
        ("[" * (DEEPEST_ARGUMENTS + 1) + "]" * (DEEPEST_ARGUMENTS + 1), None),
        ("[" * 100_000, None),
    ],
)
async def test_arguments_are_null_while_they_are_no_json(
    api: Api, written: str, arguments: object
) -> None:
    payload = await api.mutate(
        "addMessage",
        "message { parts { ... on ToolCallPart { argumentsText arguments } } }",
        sessionId=await api.create(),
        message={
            "role": "ASSISTANT",
            "parts": [{"toolCall": {"toolCallId": "1", "name": "n", "argumentsText": written}}],
        },
    )
    assert payload["message"]["parts"] == [{"argumentsText": written, "arguments": arguments}]


async def test_a_message_carries_sender_model_usage_metadata_and_time(api: Api) -> None:
    ids = await load_directory(api.services.backend)
    session_id = await api.create()
    fields = """role status model usage metadata createdAt editedAt archivedAt sequence
      sender { name user { id } agent { name } } session { id }"""
    payload = await api.mutate(
        "addMessage",
        f"message {{ {fields} }} messageEdge {{ node {{ sequence }} }}",
        sessionId=session_id,
        message={
            "role": "ASSISTANT",
            "parts": [],
            "status": "STREAMING",
            "sender": {"name": "N", "agentId": ids["navi"]},
            "model": "m-1",
            "usage": {"tokens": 7},
            "metadata": {"a": [True, {"b": None}]},
            "createdAt": "2026-03-01T10:30:00+01:00",
        },
    )
    assert payload["messageEdge"]["node"]["sequence"] == 1
    assert payload["message"] == {
        "role": "ASSISTANT",
        "status": "STREAMING",
        "model": "m-1",
        "usage": {"tokens": 7},
        "metadata": {"a": [True, {"b": None}]},
        "createdAt": "2026-03-01T09:30:00.000000Z",
        "editedAt": None,
        "archivedAt": None,
        "sequence": 1,
        "sender": {"name": "N", "user": None, "agent": {"name": "navi"}},
        "session": {"id": session_id},
    }
