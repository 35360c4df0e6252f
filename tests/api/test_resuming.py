"""A subscriber that is cut off again and again has exactly the log in the end."""

from __future__ import annotations

import asyncio
import random
import tempfile
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.server import HttpClient, Subscriber, serve

EVENTS = """
subscription ($id: ID!, $after: String) {
  sessionEvents(sessionId: $id, after: $after) {
    __typename cursor
    ... on LoggedSessionEvent { revision }
    ... on MessageAdded { sequence }
  }
}
"""
SESSION = "query ($id: ID!) { session(id: $id) { eventCursor revision } }"


async def change(client: HttpClient, session_id: str, ids: list[str], rng: random.Random) -> str:
    """Makes a change at random; returns the type of the event that it must leave."""
    kind = rng.choice(["say", "say", "say", "edit", "rename", "delete", "truncate", "archive"])
    if kind == "rename":
        await client.mutate("renameSession", "", sessionId=session_id, title=str(rng.random()))
        return "SessionRenamed"
    if kind == "say" or len(ids) < 2:
        ids += await client.say(session_id, str(rng.random()))
        return "MessageAdded"
    place = rng.randrange(len(ids) - 1)
    if kind == "edit":
        parts = [{"text": {"text": str(rng.random())}}]
        payload = await client.mutate("editMessage", "", messageId=ids[place], parts=parts)
        assert payload["userErrors"] == []
        return "MessageEdited"
    if kind == "delete":
        payload = await client.mutate("deleteMessage", "", messageId=ids.pop(place))
        assert payload["userErrors"] == []
        return "MessageDeleted"
    if kind == "truncate":
        payload = await client.mutate(
            "truncateMessages", "", sessionId=session_id, afterMessageId=ids[place]
        )
        assert payload["userErrors"] == []
        del ids[place + 1 :]
        return "MessagesTruncated"
    payload = await client.mutate("archiveMessages", "archivedCount", throughMessageId=ids[place])
    return "MessagesArchived" if payload["archivedCount"] else ""


async def watch(
    url: str,
    http: ClientSession,
    session_id: str,
    cursor: str,
    stays: list[int],
    finished: asyncio.Future[int],
) -> list[dict[str, Any]]:
    """Reads so many events a connection, cuts it, and resumes until it has all of them."""
    events: list[dict[str, Any]] = []
    cuts = 0
    while True:
        stay = stays[cuts] if cuts < len(stays) else None
        async with Subscriber.open(url, http, EVENTS, id=session_id, after=cursor) as subscriber:
            taken = 0
            while stay is None or taken < stay:
                data = await subscriber.next()
                assert data is not None
                event = data["sessionEvents"]
                cursor = event["cursor"]
                taken += 1
                if event["__typename"] != "CaughtUp":
                    events.append(event)
                if finished.done() and events and events[-1]["revision"] >= finished.result():
                    return events
            subscriber.cut()
            cuts += 1


async def play(seed: int, changes: int, stays: list[int]) -> None:
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as directory:
        async with serve(Path(directory) / "store.db") as url, ClientSession() as http:
            client = HttpClient(url, http)
            session_id = await client.create()
            start = (await client.run(SESSION, id=session_id))["session"]
            finished: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            watching = asyncio.create_task(
                watch(url, http, session_id, start["eventCursor"], stays, finished)
            )
            ids: list[str] = []
            expected = [
                kind for _ in range(changes) if (kind := await change(client, session_id, ids, rng))
            ]
            end = (await client.run(SESSION, id=session_id))["session"]["revision"]
            finished.set_result(end)
            # The watcher may have had the last event before it could know that it was the last.
            await client.mutate("renameSession", "", sessionId=session_id, title="the end")
            events = await asyncio.wait_for(watching, 30)
    told = [event for event in events if event["revision"] <= end]
    assert [event["revision"] for event in told] == list(range(2, end + 1))
    assert [event["__typename"] for event in told] == expected
    numbers = [event["sequence"] for event in told if event["__typename"] == "MessageAdded"]
    assert numbers == list(range(1, len(numbers) + 1))


@settings(max_examples=12)
@given(
    seed=st.integers(0, 2**32),
    changes=st.integers(1, 30),
    stays=st.lists(st.integers(0, 6), max_size=8),
)
def test_a_subscriber_that_is_cut_off_at_random_has_exactly_the_log(
    seed: int, changes: int, stays: list[int]
) -> None:
    asyncio.run(play(seed, changes, stays))
