"""Walking a long session back over the API while another client changes it."""

from __future__ import annotations

import asyncio
import random
import tempfile
from itertools import pairwise
from pathlib import Path

from aiohttp import ClientSession
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.server import HttpClient, serve

PAGE = """
query ($id: ID!, $before: String) {
  session(id: $id) {
    messages(last: 37, before: $before, scope: ALL) {
      edges { node { id sequence } }
      pageInfo { hasPreviousPage startCursor }
    }
  }
}
"""


async def walk_back(client: HttpClient, session_id: str) -> list[list[tuple[int, str]]]:
    """Returns the pages from the newest to the oldest, as numbers and ids."""
    pages = []
    before = None
    while True:
        data = await client.run(PAGE, id=session_id, before=before)
        page = data["session"]["messages"]
        pages.append([(edge["node"]["sequence"], edge["node"]["id"]) for edge in page["edges"]])
        before = page["pageInfo"]["startCursor"] or before
        if not page["pageInfo"]["hasPreviousPage"]:
            return pages


async def disturb(
    client: HttpClient, session_id: str, ids: list[str], rng: random.Random, done: asyncio.Event
) -> None:
    """Appends, edits, archives, deletes and truncates at random until told to stop."""
    while not done.is_set():
        kind = rng.choice(["append", "append", "edit", "archive", "delete", "truncate"])
        place = rng.randrange(len(ids))
        if kind == "append":
            ids += await client.say(session_id, *["new"] * rng.randint(1, 20))
        elif kind == "edit":
            parts = [{"text": {"text": "edited"}}]
            await client.mutate("editMessage", "", messageId=ids[place], parts=parts)
        elif kind == "archive":
            await client.mutate("archiveMessages", "", throughMessageId=ids[place])
        elif kind == "delete" and len(ids) > 1:
            await client.mutate("deleteMessage", "", messageId=ids.pop(place))
        elif kind == "truncate":
            place = max(place, len(ids) - 30)
            await client.mutate(
                "truncateMessages", "", sessionId=session_id, afterMessageId=ids[place]
            )
            del ids[place + 1 :]


async def play(seed: int, length: int) -> None:
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as directory:
        async with serve(Path(directory) / "store.db") as url, ClientSession() as http:
            client = HttpClient(url, http)
            session_id = await client.create()
            ids: list[str] = []
            for first in range(0, length, 100):
                texts = [str(number) for number in range(first, min(length, first + 100))]
                ids += await client.say(session_id, *texts)
            present = set(ids)
            done = asyncio.Event()
            disturbing = asyncio.create_task(
                disturb(HttpClient(url, http), session_id, ids, rng, done)
            )
            pages = await walk_back(client, session_id)
            done.set()
            await disturbing
            survivors = present & set(ids)
    newest_to_oldest = [entry for page in pages for entry in reversed(page)]
    numbers = [number for number, _ in newest_to_oldest]
    assert all(later > earlier for later, earlier in pairwise(numbers))
    seen = [message_id for _, message_id in newest_to_oldest]
    assert len(seen) == len(set(seen))
    assert survivors <= set(seen)
    assert survivors or length == 0


@settings(max_examples=8)
@given(seed=st.integers(0, 2**32), length=st.integers(1, 400))
def test_every_surviving_message_is_seen_once_and_the_order_is_never_inverted(
    seed: int, length: int
) -> None:
    asyncio.run(play(seed, length))
