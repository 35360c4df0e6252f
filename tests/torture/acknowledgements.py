"""The checker: it keeps its own log of what was acknowledged, and holds a store to it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from app.backends.conformance.samples import (
    done,
    errors_found,
    events_of,
    messages_of,
    session_of,
)
from app.backends.protocol import Backend
from app.model.events import EventKind
from app.model.identifiers import SessionId
from tests.torture.turns import Acknowledgement, Course, sessions_of


class AcknowledgementLog:
    """Every acknowledgement, by session and number, and how far each course has got."""

    def __init__(self) -> None:
        self.stored: defaultdict[SessionId, dict[int, str]] = defaultdict(dict)
        self.turns: dict[Course, int] = {}
        self.count = 0

    def add(self, acknowledgements: Iterable[Acknowledgement]) -> None:
        """Takes acknowledgements down. No number is acknowledged for two messages."""
        for one in acknowledgements:
            known = self.stored[one.course.session_of(one.turn)]
            twice = {number: text for number, text in one.stored.items() if number in known}
            assert not twice, f"{twice} were acknowledged before, for {known}"
            known.update(one.stored)
            expected = self.turns.get(one.course, -1) + 1
            assert one.turn == expected, f"{one.course} acknowledged {one.turn} after {expected}"
            self.turns[one.course] = one.turn
            self.count += 1

    async def repeat_unanswered(self, backend: Backend, courses: Iterable[Course]) -> int:
        """Does again what killed writers had under way, as their clients would, and takes it down.

        Returns for how many of them the store had it already.
        """
        replayed = 0
        for course in courses:
            turn = self.turns.get(course, -1) + 1
            committed = await done(backend, course.commit_of(turn))
            replayed += committed.replayed
            self.add([Acknowledgement(course, turn, committed.sequences)])
        return replayed

    async def hold(self, backend: Backend, generation: int) -> None:
        """Every acknowledged message of a generation is there once, in order; all is whole."""
        for session_id in sessions_of(generation):
            await self._hold_session(backend, session_id)
        assert await errors_found(backend) == []

    async def _hold_session(self, backend: Backend, session_id: SessionId) -> None:
        texts = {int(one.sequence): one.text for one in await messages_of(backend, session_id)}
        lost = {
            number: text
            for number, text in self.stored[session_id].items()
            if texts.get(number) != text
        }
        assert not lost, f"{lost} were acknowledged, and are lost or other messages"
        doubled = [text for text, count in Counter(texts.values()).items() if count > 1]
        assert not doubled, f"{doubled} are there twice"
        assert list(texts) == list(range(1, len(texts) + 1))
        by_course: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for text in texts.values():
            writer, task, turn, part = text.split(":")
            by_course[f"{writer}:{task}"].append((int(turn), int(part)))
        for course, turns in by_course.items():
            assert turns == sorted(turns), f"the messages of {course} are out of order"

        events = await events_of(backend, session_id)
        assert [event.revision for event in events] == list(range(1, len(events) + 1))
        added = [event.sequence for event in events if event.kind is EventKind.MESSAGE_ADDED]
        assert added == list(texts)
        assert (await session_of(backend, session_id)).message_count == len(texts)
