"""Carrying out commits that only add messages in one statement, which commits by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from app.backends.sql.dialects.dialect import Failure
from app.backends.sql.known_sessions import Known
from app.backends.sql.together import Outcome, Work
from app.model.changes import AddMessages, Commit
from app.model.identifiers import SessionId


class NothingDone(Exception):
    """A transaction failed, and it is certain that nothing of it is in the store."""

    def __init__(self, failure: Failure, cause: Exception | None = None) -> None:
        super().__init__(failure)
        self.failure = failure
        self.cause = cause


class Interrupted(Exception):
    """A connection broke where sessions may have been written, each by itself or not at all."""

    def __init__(
        self, failure: Failure, outcomes: Sequence[Outcome | None], known: Sequence[Known]
    ) -> None:
        """`outcomes` are those of the commits if their session was; it was `known` as it stood."""
        super().__init__(failure)
        self.failure = failure
        self.outcomes = outcomes
        self.known = known


class Appends(Protocol):
    """What a database offers that can do this."""

    async def carry_out(self, work: Sequence[Work]) -> Sequence[Outcome | None]:
        """Carries out commits that are all appends and answers their outcomes, aligned.

        Waits for nobody: None for all of a session that is held or was changed by somebody else,
        is not there or not in scope, or of which a commit was refused. Nothing of those is done.
        Raises `NothingDone` and `Interrupted`.
        """
        ...

    async def find_out(
        self, work: Sequence[Work], interrupted: Interrupted
    ) -> Mapping[SessionId, bool]:
        """Returns whether what was interrupted has written a session, of those that have a key.

        What has not been written by then will not be. Raises `NothingDone` where the database can't
        be asked.
        """
        ...

    async def close(self) -> None:
        """Lets go of the connections. Safe to call twice."""
        ...


def is_append(commit: Commit) -> bool:
    """Answers whether a commit only adds messages."""
    return all(isinstance(change, AddMessages) for change in commit.changes)
