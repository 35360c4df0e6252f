"""A walk back through a long session is not disturbed by what others do to it meanwhile."""

from __future__ import annotations

import asyncio
import random
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from app.backends.conformance.samples import (
    ALICES,
    FIRST,
    changed,
    created,
    done,
    errors_found,
    messages_of,
    numbered,
    said,
)
from app.backends.open import open_backend
from app.backends.protocol import Backend
from app.model.changes import (
    AddMessages,
    ArchiveMessages,
    Change,
    DeleteMessage,
    EditMessage,
    TruncateMessages,
)
from app.model.identifiers import Sequence
from app.model.message import Message, MessageScope
from app.model.paging import MessagePageRequest, Page, Take, Window
from app.model.parts import TextPart

PAGE = 37
LENGTH = 300


@dataclass
class Disturber:
    """Another client, who changes the session at random until told to stop."""

    backend: Backend
    chance: random.Random
    present: list[int] = field(default_factory=lambda: list(range(1, LENGTH + 1)))
    changes: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, stop: asyncio.Event) -> None:
        """Commits one change after another."""
        while not stop.is_set():
            await self.disturb()
            self.changed.set()

    async def disturb(self) -> None:
        """Commits one random change, and keeps count of which messages are left."""
        change = self.choose()
        committed = await done(self.backend, changed(change, at=1 + self.changes % 50_000), ALICES)
        self.changes += 1
        self.present.extend(committed.sequences)

    def choose(self) -> Change:
        """Draws a change that is possible."""
        kind = self.chance.choices(
            ["append", "edit", "archive", "delete", "truncate"], [8, 4, 2, 4, 1]
        )[0]
        if kind == "append" or len(self.present) < 20:
            count = self.chance.randint(1, 5)
            return AddMessages(tuple(said("appended") for _ in range(count)))
        number = Sequence(self.chance.choice(self.present))
        if kind == "edit":
            return EditMessage(number, parts=(TextPart("edited"),), preview="edited")
        if kind == "archive":
            return ArchiveMessages(number)
        if kind == "delete":
            self.present.remove(number)
            return DeleteMessage(number)
        cut = Sequence(self.present[-self.chance.randint(2, 10)])
        self.present = [one for one in self.present if one <= cut]
        return TruncateMessages(cut)


async def walk_back(backend: Backend, changed: asyncio.Event) -> list[Message]:
    """Reads the session from its newest page to its oldest, live and archived alike.

    Between two pages something has changed.
    """
    walked: list[Message] = []
    window: Window[Sequence] = Window(PAGE, Take.LAST)
    while True:
        request = MessagePageRequest(FIRST, window, MessageScope.ALL)
        page = (await backend.page_messages([request], ALICES))[request]
        assert isinstance(page, Page)
        assert len(page.items) <= PAGE
        walked = [*page.items, *walked]
        changed.clear()
        await changed.wait()
        if not page.has_previous:
            return walked
        window = Window(PAGE, Take.LAST, before=page.items[0].sequence)


async def walk_while_disturbed(seed: int, path: Path) -> None:
    """Walks back while another client writes; compares with what was there all the time."""
    chance = random.Random(seed)
    backend = await open_backend(f"sqlite:///{path}")
    other = await open_backend(f"sqlite:///{path}")
    try:
        await done(backend, created(messages=numbered(LENGTH)))
        disturber = Disturber(chance.choice([backend, other]), chance)
        for _ in range(chance.randint(0, 10)):
            await disturber.disturb()
        before = {message.sequence for message in await messages_of(backend)}
        stop = asyncio.Event()
        writing = asyncio.create_task(disturber.run(stop))
        walked = [int(message.sequence) for message in await walk_back(backend, disturber.changed)]
        stop.set()
        await writing
        after = {message.sequence for message in await messages_of(backend)}
        assert walked == sorted(set(walked)), "doubled or out of order"
        assert before & after <= set(walked), "a message that was there all the time is missing"
        assert after == set(disturber.present)
        assert await errors_found(backend) == []
    finally:
        await backend.close()
        await other.close()


@settings(
    max_examples=15,
)
@given(seed=st.integers(0, 2**32))
def test_every_surviving_message_is_met_exactly_once_and_in_order(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(walk_while_disturbed(seed, Path(folder) / "store.db"))
