"""Watching a session through the schema."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from app.backends.protocol import EVERYTHING
from app.execution.operation import Response
from app.execution.stream import ResponseStream
from app.model.identifiers import Epoch, Position, Revision
from app.schema.cursors import encode_event_cursor
from app.schema.global_id import decode_session_id
from tests.schema.client import Api, user_message

EVENTS = """
subscription ($id: ID!, $after: String) {
  sessionEvents(sessionId: $id, after: $after) {
    __typename cursor
    ... on LoggedSessionEvent { revision }
    ... on SessionRenamed { title }
    ... on SessionPinned { pinnedAt }
    ... on SessionStarred { starredAt }
    ... on SessionArchived { archivedAt }
    ... on SessionMetadataSet { metadata }
    ... on SessionDeleted { deletedSessionId }
    ... on MessageAdded { messageId sequence message { text } }
    ... on MessageEdited { messageId sequence message { text } }
    ... on MessageDeleted { deletedMessageId sequence }
    ... on MessagesTruncated { afterSequence count }
    ... on MessagesArchived { throughSequence count }
  }
}
"""


class Watcher:
    """A subscription, one event at a time."""

    def __init__(self, stream: AsyncGenerator[Response]) -> None:
        self._stream = stream

    async def next(self) -> dict[str, Any]:
        response = await anext(self._stream)
        assert response.errors == []
        assert response.data is not None
        event: dict[str, Any] = response.data["sessionEvents"]
        return event

    async def until(self, kind: str) -> list[dict[str, Any]]:
        """Returns the events before one of that kind."""
        events = []
        while (event := await self.next())["__typename"] != kind:
            events.append(event)
        return events

    async def ended(self) -> bool:
        return await anext(self._stream, None) is None

    async def close(self) -> None:
        await self._stream.aclose()


async def watch(api: Api, session_id: str, after: str | None = None) -> Watcher:
    stream = await api.subscribe(EVENTS, id=session_id, after=after)
    assert not isinstance(stream, Response)
    return Watcher(stream)


async def cursor_of(api: Api, session_id: str) -> str:
    data = await api.run("query ($id: ID!) { session(id: $id) { eventCursor } }", id=session_id)
    cursor: str = data["session"]["eventCursor"]
    return cursor


async def test_every_change_is_told_in_order_with_what_changed(api: Api) -> None:
    session_id = await api.create()
    start = await cursor_of(api, session_id)
    ids = await api.say(session_id, "a", "b", "c", "d")
    await api.mutate("renameSession", "", sessionId=session_id, title="T")
    await api.mutate("pinSession", "", sessionId=session_id, pinned=True)
    await api.mutate("starSession", "", sessionId=session_id, starred=True)
    await api.mutate("starSession", "", sessionId=session_id, starred=False)
    await api.mutate("archiveSession", "", sessionId=session_id, archived=True)
    await api.mutate("editMessage", "", messageId=ids[0], parts=[{"text": {"text": "A"}}])
    await api.mutate("archiveMessages", "", throughMessageId=ids[0])
    await api.mutate("deleteMessage", "", messageId=ids[1])
    await api.mutate("truncateMessages", "", sessionId=session_id, afterMessageId=ids[2])
    watcher = await watch(api, session_id, start)
    events = await watcher.until("CaughtUp")
    await watcher.close()
    assert [event.pop("revision") for event in events] == list(range(2, 15))
    assert len({event.pop("cursor") for event in events}) == 13
    assert all(events[place].pop(mark) for place, mark in ((5, "pinnedAt"), (6, "starredAt")))
    assert events[8].pop("archivedAt")

    def added(place: int, text: str | None) -> dict[str, Any]:
        message = None if text is None else {"text": text}
        return {
            "__typename": "MessageAdded",
            "messageId": ids[place],
            "sequence": place + 1,
            "message": message,
        }

    assert events == [
        added(0, "A"),
        added(1, None),
        added(2, "c"),
        added(3, None),
        {"__typename": "SessionRenamed", "title": "T"},
        {"__typename": "SessionPinned"},
        {"__typename": "SessionStarred"},
        {"__typename": "SessionStarred", "starredAt": None},
        {"__typename": "SessionArchived"},
        {
            "__typename": "MessageEdited",
            "messageId": ids[0],
            "sequence": 1,
            "message": {"text": "A"},
        },
        {"__typename": "MessagesArchived", "throughSequence": 1, "count": 1},
        {"__typename": "MessageDeleted", "deletedMessageId": ids[1], "sequence": 2},
        {"__typename": "MessagesTruncated", "afterSequence": 3, "count": 1},
    ]


async def test_without_a_cursor_only_what_is_new_is_told(api: Api) -> None:
    session_id = await api.create("old")
    watcher = await watch(api, session_id)
    assert await watcher.until("CaughtUp") == []
    await api.say(session_id, "new")
    event = await watcher.next()
    assert (event["__typename"], event["message"]) == ("MessageAdded", {"text": "new"})
    await watcher.close()


async def test_a_subscriber_goes_on_after_its_last_cursor(api: Api) -> None:
    session_id = await api.create("a", "b", "c")
    first = await watch(api, session_id, await cursor_of(api, session_id))
    assert await first.until("CaughtUp") == []
    await api.say(session_id, "d", "e")
    seen = (await first.next())["cursor"]
    await first.close()
    await api.say(session_id, "f")
    second = await watch(api, session_id, seen)
    assert [event["message"]["text"] for event in await second.until("CaughtUp")] == ["e", "f"]
    await second.close()


async def test_a_session_created_is_the_first_event(api: Api) -> None:
    session_id = await api.create(title="T")
    decoded = decode_session_id(session_id, ())
    found = await api.services.backend.get_sessions([decoded], EVERYTHING)
    start = Position(found[decoded].epoch, Revision(0))  # type: ignore[union-attr]
    watcher = await watch(api, session_id, encode_event_cursor(decoded, start))
    (event,) = await watcher.until("CaughtUp")
    assert (event["__typename"], event["revision"]) == ("SessionCreated", 1)
    await watcher.close()


async def test_a_deletion_is_told_and_ends_the_stream(api: Api) -> None:
    session_id = await api.create("a")
    start = await cursor_of(api, session_id)
    live = await watch(api, session_id)
    assert await live.until("CaughtUp") == []
    await api.mutate("deleteSession", "", sessionId=session_id)
    late = await watch(api, session_id, start)
    never_seen = await watch(api, session_id)
    for watcher in (live, late, never_seen):
        event = await watcher.next()
        assert (event["__typename"], event["deletedSessionId"]) == ("SessionDeleted", session_id)
        assert await watcher.ended()


async def test_a_cursor_of_another_life_of_the_log_is_a_gap_and_then_goes_on(api: Api) -> None:
    session_id = await api.create("a")
    decoded = decode_session_id(session_id, ())
    for position in (
        Position(Epoch("another0"), Revision(1)),
        await _past_the_end(api, session_id),
    ):
        watcher = await watch(api, session_id, encode_event_cursor(decoded, position))
        gap = await watcher.next()
        assert gap == {"__typename": "Gap", "cursor": await cursor_of(api, session_id)}
        assert await watcher.until("CaughtUp") == []
        await api.say(session_id, "b")
        assert (await watcher.next())["message"] == {"text": "b"}
        await watcher.close()


async def _past_the_end(api: Api, session_id: str) -> Position:
    decoded = decode_session_id(session_id, ())
    found = await api.services.backend.get_sessions([decoded], EVERYTHING)
    session: Any = found[decoded]
    return Position(session.epoch, Revision(session.revision + 1000))


async def test_what_a_subscriber_loads_is_as_new_as_its_event(api: Api) -> None:
    session_id = await api.create()
    stream = await api.subscribe(
        "subscription ($id: ID!) { sessionEvents(sessionId: $id) {"
        " ... on LoggedSessionEvent { session { messageCount } } } }",
        id=session_id,
    )
    assert not isinstance(stream, Response)
    await anext(stream)
    for count in (1, 2, 3):
        await api.say(session_id, "x")
        response = await anext(stream)
        assert response.data == {"sessionEvents": {"session": {"messageCount": count}}}
    await stream.aclose()


@pytest.mark.parametrize("loaded", ["", "... on LoggedSessionEvent { session { messageCount } }"])
async def test_what_one_is_answered_is_written_for_those_who_ask_the_same_and_wait(
    api: Api, reader: Api, loaded: str
) -> None:
    session_id = await api.create()
    document = EVENTS.replace("__typename cursor", f"__typename cursor {loaded}")
    told: list[Response] = []
    all_told = asyncio.Event()

    async def open_one(api: Api) -> ResponseStream:
        stream = await api.subscribe(document, id=session_id)
        assert isinstance(stream, ResponseStream)
        stream.stand_by(write)
        return stream

    def write(response: Response) -> bool:
        told.append(response)
        if len(told) == 4:
            all_told.set()
        return True

    opened = [await open_one(api) for _ in range(5)] + [await open_one(reader)]
    for stream in opened:
        assert (await anext(stream)).data["sessionEvents"]["__typename"] == "CaughtUp"  # type: ignore[index]
    nexts = [asyncio.ensure_future(anext(stream)) for stream in opened]
    await asyncio.sleep(0)
    await api.say(session_id, "x")
    async with asyncio.timeout(5):
        await all_told.wait()
        await nexts[-1]
    (answered,) = [awaited for awaited in nexts[:-1] if awaited.done()]
    assert answered.result().data["sessionEvents"]["message"] == {"text": "x"}  # type: ignore[index]
    assert [response is answered.result() for response in told] == [True] * 4
    assert nexts[-1].result() is not answered.result()
    await api.mutate("deleteSession", "", sessionId=session_id)
    for awaited in nexts:
        await awaited
    for stream in opened:
        await stream.aclose()


@pytest.mark.parametrize(
    ("variables", "code", "path"),
    [
        ({"id": "nonsense"}, "INVALID_INPUT", ["sessionId"]),
        ({"after": "nonsense"}, "INVALID_INPUT", ["after"]),
    ],
)
async def test_a_wrong_subscription_is_refused(
    api: Api, variables: dict[str, Any], code: str, path: list[str]
) -> None:
    session_id = await api.create()
    response = await api.subscribe(EVENTS, **{"id": session_id, **variables})
    assert isinstance(response, Response)
    (error,) = response.errors
    assert error["extensions"] == {"code": code, "inputPath": path}


async def test_a_foreign_session_is_watched_as_an_absent_one(
    api: Api, bob: Api, reader: Api
) -> None:
    session_id = await api.create("secret")
    stream = await bob.subscribe(EVENTS, id=session_id)
    assert not isinstance(stream, Response)
    responses = [response async for response in stream]
    assert [response.data for response in responses] == [None]
    assert responses[0].errors[0]["extensions"] == {
        "code": "NOT_FOUND",
        "inputPath": ["sessionId"],
    }
    watcher = await watch(reader, session_id)
    assert await watcher.until("CaughtUp") == []
    await watcher.close()


async def test_nobody_is_followed_once_the_subscriber_has_left(api: Api) -> None:
    session_id = await api.create()
    watcher = await watch(api, session_id)
    await watcher.until("CaughtUp")
    await watcher.close()
    await api.mutate("addMessage", "", sessionId=session_id, message=user_message("x"))
    assert api.services.feeds.followed == 0
