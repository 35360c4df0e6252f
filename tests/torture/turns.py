"""What a writer does in its turns: known from its name and the number alone, so that a checker
can say what should be there, and repeat the turn whose answer a kill has swallowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from app.backends.conformance.samples import attempt, changed, number_id, said
from app.model.changes import AddMessages, ArchiveMessages, Commit
from app.model.identifiers import Sequence, SessionId

ARCHIVING_TURN = 12
"""In each turn of a multiple of this number older messages are archived as well."""


@dataclass(frozen=True, slots=True)
class Course:
    """The turns of one task of a writer, which writes to two sessions by turns."""

    writer: str
    task: int
    generation: int

    @property
    def name(self) -> str:
        """What its messages begin with."""
        return f"{self.writer}:{self.task}"

    def session_of(self, turn: int) -> SessionId:
        """Returns the session that a turn writes to."""
        return sessions_of(self.generation)[(self.task + turn) % 2]

    def texts_of(self, turn: int) -> list[str]:
        """Returns the messages of a turn, one to three."""
        return [f"{self.name}:{turn}:{part}" for part in range(1 + turn % 3)]

    def commit_of(self, turn: int) -> Commit:
        """Returns what a turn commits, the same each time."""
        texts = self.texts_of(turn)
        return changed(
            AddMessages(tuple(said(text) for text in texts)),
            session_id=self.session_of(turn),
            idempotency=attempt(texts[0]),
        )

    def archiving_of(self, turn: int, first: int) -> list[Commit]:
        """Returns what is committed after a turn whose first message has that number."""
        if turn % ARCHIVING_TURN or first < ARCHIVING_TURN:
            return []
        through = ArchiveMessages(Sequence(first - ARCHIVING_TURN + 1))
        return [changed(through, session_id=self.session_of(turn))]


def sessions_of(generation: int) -> tuple[SessionId, SessionId]:
    """Returns the sessions that the writers of some rounds write to."""
    return number_id(1000 + 2 * generation), number_id(1001 + 2 * generation)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A turn whose commit was answered, with the numbers that its messages got."""

    course: Course
    turn: int
    sequences: range

    @property
    def stored(self) -> Mapping[int, str]:
        """The messages that are in the store under these numbers."""
        texts = self.course.texts_of(self.turn)
        return MappingProxyType(dict(zip(self.sequences, texts, strict=True)))
