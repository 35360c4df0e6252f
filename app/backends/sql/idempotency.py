"""Idempotency keys: what an attempt did is remembered, and answered again when it is repeated."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Select, select

from app.backends.protocol import Scope
from app.backends.sql.dialects.dialect import Dialect
from app.backends.sql.rows import (
    IDEMPOTENCY_COLUMNS,
    SESSION_COLUMNS,
    idempotency_values,
    to_idempotency_record,
    to_session,
)
from app.backends.sql.tables import deletions, idempotency_keys, sessions
from app.model.changes import Commit, Committed, Idempotency
from app.model.identifiers import Epoch, Position, SessionId
from app.model.records import IdempotencyRecord
from app.model.refusals import attempt_differs
from app.model.session import Session


def in_scope(statement: Select[Any], scope: Scope) -> Select[Any]:
    """Returns the statement on sessions, kept to those in scope."""
    if scope.owner is None:
        return statement
    return statement.where(sessions.c.owner_id == scope.owner)


def used_keys(
    connection: Connection, session_id: SessionId, keys: Collection[str]
) -> dict[str, IdempotencyRecord]:
    """Returns the records of those of the keys that have been used."""
    if not keys:
        return {}
    rows = connection.execute(
        select(*IDEMPOTENCY_COLUMNS).where(
            idempotency_keys.c.session_id == session_id, idempotency_keys.c.key.in_(keys)
        )
    )
    return {record.idempotency.key: record for record in map(to_idempotency_record, rows)}


def replay(connection: Connection, commit: Commit, scope: Scope) -> Committed | None:
    """Returns the result of the commit's attempt, None for one that is new or not in scope.

    Raises `Conflict` where its key was used for another request.
    """
    if commit.idempotency is None:
        return None
    key = commit.idempotency.key
    record = used_keys(connection, commit.session_id, {key}).get(key)
    if record is None:
        return None
    present = _present_state(connection, commit.session_id, scope)
    return None if present is None else answer_again(record, commit, *present)


def answer_again(
    record: IdempotencyRecord, commit: Commit, session: Session | None, epoch: Epoch
) -> Committed:
    """Returns what a used key replays. Raises `Conflict` where it was for another request."""
    if commit.idempotency is None or record.idempotency.digest != commit.idempotency.digest:
        raise attempt_differs(session)
    return Committed(
        position=Position(epoch, record.revision),
        sequences=record.sequences,
        affected=record.affected,
        session=session,
        replayed=True,
    )


def to_record(commit: Commit, idempotency: Idempotency, committed: Committed) -> IdempotencyRecord:
    """Returns what is to be remembered of an attempt."""
    return IdempotencyRecord(
        session_id=commit.session_id,
        idempotency=idempotency,
        revision=committed.position.revision,
        sequences=committed.sequences,
        affected=committed.affected,
        at=commit.at,
    )


def remember(
    dialect: Dialect, connection: Connection, results: Sequence[tuple[Commit, Committed]]
) -> None:
    """Writes down the attempts among these."""
    rows = [
        idempotency_values(to_record(commit, commit.idempotency, committed))
        for commit, committed in results
        if commit.idempotency is not None
    ]
    dialect.insert(connection, idempotency_keys, rows)


def _present_state(
    connection: Connection, session_id: SessionId, scope: Scope
) -> tuple[Session | None, Epoch] | None:
    row = connection.execute(
        in_scope(select(*SESSION_COLUMNS).where(sessions.c.id == session_id), scope)
    ).one_or_none()
    if row is not None:
        session = to_session(row)
        return session, session.epoch
    deleted = select(deletions.c.epoch).where(deletions.c.session_id == session_id)
    if scope.owner is not None:
        deleted = deleted.where(deletions.c.owner_id == scope.owner)
    epoch = connection.execute(deleted).scalar()
    if epoch is None:
        return None
    return None, epoch
