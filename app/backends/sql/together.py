"""Carrying out commits that read nothing with the statements that one of them takes.

Most commits add messages: their sessions are locked together, their rows written together, and
many of them cost little more than one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from sqlalchemy import Connection

from app.backends.protocol import Scope
from app.backends.sql.commit import draft_change, require_revision
from app.backends.sql.dialects.dialect import Dialect
from app.backends.sql.draft import Draft, write_drafts
from app.backends.sql.idempotency import answer_again, remember, to_record
from app.backends.sql.known_sessions import Known, KnownSessions
from app.backends.sql.rows import owner_to_column, to_idempotency_record, to_session
from app.model.changes import (
    AddMessages,
    ArchiveSession,
    Commit,
    Committed,
    PinSession,
    RenameSession,
    SetMetadata,
    StarSession,
)
from app.model.errors import Conflict, ScrollbackError
from app.model.identifiers import SessionId
from app.model.records import IdempotencyRecord
from app.model.session import Session

Outcome: TypeAlias = Committed | ScrollbackError
Work: TypeAlias = tuple[Commit, Scope]

_DRAFTED = frozenset(
    {AddMessages, ArchiveSession, PinSession, RenameSession, SetMetadata, StarSession}
)


def is_drafted(commit: Commit) -> bool:
    """Answers whether a commit only adds messages and sets fields, so that it reads nothing."""
    return _DRAFTED.issuperset(map(type, commit.changes))


def carry_out_together(
    dialect: Dialect,
    connection: Connection,
    work: Sequence[Work],
    *,
    wait: bool,
    known: KnownSessions | None = None,
) -> list[Outcome | None]:
    """Applies drafted commits, those of one session in this order, and answers their outcomes.

    None for all of a session that can't be written like this: it is not there or not in scope,
    held by somebody else (unless `wait`), or a change was refused. Nothing of those is written;
    they must be carried out singly. `known` are sessions whose state in the transaction need not
    be read; the states that come of it are noted there.
    """
    held = hold_known(known, work) if known is not None else {}
    _lock(dialect, connection, work, held, wait=wait)
    drafted = draft_together(held, work, _used_keys(dialect, connection, work))
    write_drafts(dialect, connection, drafted.drafts)
    remember(dialect, connection, drafted.fresh)
    if known is not None:
        for draft in drafted.drafts:
            known.note(Known(draft.session, draft.archived_through))
    return drafted.outcomes


class Held:
    """A session that others can't change now, with what becomes of its commits."""

    __slots__ = ("draft", "fresh", "outcomes", "owners", "places")

    def __init__(self, draft: Draft, owners: set[str | None]) -> None:
        """`owners` are the scopes that the session is in, by their owner."""
        self.draft = draft
        self.owners = owners
        self.places: list[int] = []
        self.outcomes: list[Outcome] = []
        self.fresh: list[tuple[Commit, Committed]] = []

    def take(
        self, commit: Commit, scope: Scope, used: dict[tuple[SessionId, str], IdempotencyRecord]
    ) -> bool:
        """Drafts a commit, or answers False where all of the session must be done singly."""
        if scope.owner not in self.owners:
            return False
        draft, attempt = self.draft, commit.idempotency
        if attempt is not None or commit.expected is not None:
            try:
                record = used.get((commit.session_id, attempt.key)) if attempt is not None else None
                if record is not None:
                    session: Session = draft.session
                    self.outcomes.append(answer_again(record, commit, session, session.epoch))
                    return True
                require_revision(draft.session, commit.expected)
            except Conflict as conflict:
                self.outcomes.append(conflict)
                return True
        draft.go_on(commit.at)
        try:
            for change in commit.changes:
                draft_change(draft, change)
        except ScrollbackError:
            return False
        committed = draft.committed()
        self.outcomes.append(committed)
        if attempt is not None:
            used[commit.session_id, attempt.key] = to_record(commit, attempt, committed)
            self.fresh.append((commit, committed))
        return True


class Drafted(NamedTuple):
    """What is to be written of some commits, and what is to be answered to each then."""

    drafts: list[Draft]
    fresh: list[tuple[Commit, Committed]]
    """Those whose attempts are to be remembered."""
    outcomes: list[Outcome | None]


def hold_known(known: KnownSessions, work: Sequence[Work]) -> dict[SessionId, Held]:
    """Returns those sessions of some commits that are known."""
    held: dict[SessionId, Held] = {}
    for commit, _ in work:
        session_id = commit.session_id
        if session_id not in held and (state := known.get(session_id)) is not None:
            owner = owner_to_column(state.session.owner_id)
            draft = Draft(state.session, state.archived_through, commit.at)
            held[session_id] = Held(draft, {None, owner})
    return held


def draft_together(
    held: dict[SessionId, Held],
    work: Sequence[Work],
    used: dict[tuple[SessionId, str], IdempotencyRecord],
) -> Drafted:
    """Applies drafted commits to the sessions that are held; None for all of another session.

    A session of which a commit is refused is held no longer.
    """
    outcomes: list[Outcome | None] = [None] * len(work)
    for place, (commit, scope) in enumerate(work):
        session = held.get(commit.session_id)
        if session is None:
            continue
        if session.take(commit, scope, used):
            session.places.append(place)
        else:
            del held[commit.session_id]
    for session in held.values():
        for place, outcome in zip(session.places, session.outcomes, strict=True):
            outcomes[place] = outcome
    return Drafted(
        [session.draft for session in held.values()],
        [one for session in held.values() for one in session.fresh],
        outcomes,
    )


def _lock(
    dialect: Dialect,
    connection: Connection,
    work: Sequence[Work],
    held: dict[SessionId, Held],
    *,
    wait: bool,
) -> None:
    """Locks the sessions that are not held yet, and puts them among the others."""
    asked = list(
        {
            (commit.session_id, scope.owner): None
            for commit, scope in work
            if commit.session_id not in held
        }
    )
    if not asked:
        return
    starts = {commit.session_id: commit.at for commit, _ in reversed(work)}
    query = dialect.lock_sessions(asked, wait=wait)
    for owner, *state, archived_through in dialect.fetch(connection, query):
        session = to_session(state)
        one = held.get(session.id)
        if one is None:
            draft = Draft(session, archived_through, starts[session.id])
            one = held[session.id] = Held(draft, set())
        one.owners.add(owner)


def _used_keys(
    dialect: Dialect, connection: Connection, work: Sequence[Work]
) -> dict[tuple[SessionId, str], IdempotencyRecord]:
    keys = {
        (commit.session_id, commit.idempotency.key)
        for commit, _ in work
        if commit.idempotency is not None
    }
    if not keys:
        return {}
    query = dialect.find_attempts(sorted(keys))
    records = map(to_idempotency_record, dialect.fetch(connection, query))
    return {(record.session_id, record.idempotency.key): record for record in records}
