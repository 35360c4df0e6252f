"""Two servers on one store, with nothing between them but the store."""

from __future__ import annotations

from pathlib import Path

from aiohttp import ClientSession

from tests.api.server import HttpClient, Subscriber, serve

EVENTS = """
subscription ($id: ID!) {
  sessionEvents(sessionId: $id) { __typename ... on MessageAdded { message { text } } }
}
"""


async def test_a_subscriber_of_one_hears_what_is_said_at_the_other(
    tmp_path: Path, http: ClientSession
) -> None:
    store = tmp_path / "store.db"
    async with serve(store) as here, serve(store) as there:
        writer = HttpClient(there, http)
        session_id = await writer.create()
        async with Subscriber.open(here, http, EVENTS, id=session_id) as subscriber:
            assert await subscriber.next() == {"sessionEvents": {"__typename": "CaughtUp"}}
            await writer.say(session_id, "one", "two")
            told = [await subscriber.next() for _ in range(2)]
    assert told == [
        {"sessionEvents": {"__typename": "MessageAdded", "message": {"text": text}}}
        for text in ("one", "two")
    ]


async def test_both_number_the_messages_of_one_session(tmp_path: Path, http: ClientSession) -> None:
    store = tmp_path / "store.db"
    async with serve(store) as here, serve(store) as there:
        first, second = HttpClient(here, http), HttpClient(there, http)
        session_id = await first.create()
        for number in range(20):
            await (first, second)[number % 2].say(session_id, str(number))
        query = """
        query ($id: ID!) {
          session(id: $id) { messages(first: 100) { edges { node { sequence text } } } }
        }
        """
        found = (await first.run(query, id=session_id))["session"]["messages"]["edges"]
    assert [(edge["node"]["sequence"], edge["node"]["text"]) for edge in found] == [
        (number + 1, str(number)) for number in range(20)
    ]
