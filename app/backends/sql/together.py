"""Carrying out commits that read nothing with the statements that one of them takes.

Most commits add messages: their sessions are locked together, their rows written together, and
many of them cost little more than one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from sqlalchemy import Connection

from app.backends.protocol import Scope
from app.backends.sql.commit import apply_change, require_revision
from app.backends.sql.dialects.dialect import Dialect
from app.backends.sql.draft import SessionDraft, write_drafts
from app.backends.sql.idempotency import answer_again, remember, to_record
from app.backends.sql.rows import to_idempotency_record, to_session
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

_DRAFTED = (
    AddMessages,
    ArchiveSession,
    PinSession,
    RenameSession,
    SetMetadata,
    StarSession,
)


def is_drafted(commit: Commit) -> bool:
    """Answers whether a commit only adds messages and sets fields, so that it reads nothing."""
    return all(isinstance(change, _DRAFTED) for change in commit.changes)


def carry_out_together(
    dialect: Dialect, connection: Connection, work: Sequence[Work], *, wait: bool
) -> list[Outcome | None]:
    """Applies drafted commits, those of one session in this order, and answers their outcomes.

    None for all of a session that can't be written like this: it is not there or not in scope,
    held by somebody else (unless `wait`), or a change was refused. Nothing of those is written;
    they must be carried out singly.
    """
    sessions = _lock(dialect, connection, work, wait=wait)
    used = _used_keys(dialect, connection, work)
    outcomes: list[Outcome | None] = [None] * len(work)
    for place, (commit, scope) in enumerate(work):
        session = sessions.get(commit.session_id)
        if session is None or not session.take(commit, scope, used):
            sessions.pop(commit.session_id, None)
            continue
        session.places.append(place)
    write_drafts([session.draft for session in sessions.values()])
    remember(dialect, connection, [one for session in sessions.values() for one in session.fresh])
    for session in sessions.values():
        for place, outcome in zip(session.places, session.outcomes, strict=True):
            outcomes[place] = outcome
    return outcomes


@dataclass(slots=True)
class _Locked:
    """A session that is held, with what becomes of its commits."""

    draft: SessionDraft
    owners: set[str | None] = field(default_factory=set)
    places: list[int] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    fresh: list[tuple[Commit, Committed]] = field(default_factory=list)

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
                apply_change(draft, change, scope)
        except ScrollbackError:
            return False
        committed = Committed(draft.position, draft.sequences, draft.affected, draft.session)
        self.outcomes.append(committed)
        if attempt is not None:
            used[commit.session_id, attempt.key] = to_record(commit, attempt, committed)
            self.fresh.append((commit, committed))
        return True


def _lock(
    dialect: Dialect, connection: Connection, work: Sequence[Work], *, wait: bool
) -> dict[SessionId, _Locked]:
    asked = list({(commit.session_id, scope.owner): None for commit, scope in work})
    query = dialect.lock_sessions(asked, wait=wait)
    starts = {commit.session_id: commit.at for commit, _ in reversed(work)}
    locked: dict[SessionId, _Locked] = {}
    for owner, *state, archived_through in dialect.fetch(connection, query):
        session = to_session(state)
        held = locked.get(session.id)
        if held is None:
            draft = SessionDraft(dialect, connection, session, archived_through, starts[session.id])
            held = locked[session.id] = _Locked(draft)
        held.owners.add(owner)
    return locked


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
