"""Bringing a session that is here to a later state of it, or to its deletion."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import delete, insert, select

from app.backends.sql.rows import (
    EVENT_COLUMNS,
    SESSION_COLUMNS,
    from_deletion,
    from_event,
    from_idempotency_record,
    to_deletion,
    to_event,
    to_session,
)
from app.backends.sql.search_index import TITLE, SearchIndex
from app.backends.sql.tables import deletions, events, idempotency_keys, messages, sessions
from app.model.identifiers import Revision, SessionId
from app.model.records import Deletion, IdempotencyRecord
from app.model.session import Session

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

_CHUNK = 500
"""How many events of the log are read at once."""


class LogComparison:
    """Tells whether the log that was here is the beginning of the one that comes.

    Both are read once, by digest, so that neither is ever held whole.
    """

    def __init__(self, known: str = "", top: Revision = Revision(0)) -> None:  # noqa: B008
        """`known` is the digest of the log here up to `top`; without it everything fits."""
        self._known = known
        self._top = top
        self._digest = hashlib.sha256()

    @property
    def is_beginning(self) -> bool:
        """Whether the log that has come by now begins as the one here."""
        return not self._known or self._digest.hexdigest() == self._known

    def take(self, revision: Revision, row: Mapping[str, Any]) -> None:
        """Takes an event of the log that comes."""
        if revision <= self._top:
            self._digest.update(orjson.dumps(row))


class DeletionOutcome(Enum):
    """What became of a deletion that was loaded."""

    TAKEN = auto()
    KNOWN = auto()
    CONFLICT = auto()


async def session_here(connection: AsyncConnection, session_id: SessionId) -> Session | None:
    """Returns the session that the store has under an id, and keeps others from writing to it."""
    statement = select(*SESSION_COLUMNS).where(sessions.c.id == session_id)
    row = (await connection.execute(statement.with_for_update())).one_or_none()
    return None if row is None else to_session(row)


def may_be_earlier(here: Session, coming: Session) -> bool:
    """Answers whether a session here can be an earlier state of one that comes; its log decides."""
    same_name = (here.owner_id, here.key, here.epoch) == (
        coming.owner_id,
        coming.key,
        coming.epoch,
    )
    return same_name and here.revision <= coming.revision and here != coming


async def begin_replacement(
    connection: AsyncConnection, search: SearchIndex, here: Session
) -> LogComparison:
    """Takes a session out with its messages and its log, and returns what its log is known by.

    Idempotency keys stay: those that come are added to them.
    """
    digest = hashlib.sha256()
    after = Revision(0)
    statement = (
        select(*EVENT_COLUMNS)
        .where(events.c.session_id == here.id)
        .order_by(events.c.revision)
        .limit(_CHUNK)
    )
    while rows := (await connection.execute(statement.where(events.c.revision > after))).all():
        for row in rows:
            event = to_event(row, None)
            digest.update(orjson.dumps(from_event(event)))
            after = event.revision
    await _remove(connection, search, here.id)
    return LogComparison(digest.hexdigest(), here.revision)


async def add_idempotency_keys(
    connection: AsyncConnection, records: Sequence[IdempotencyRecord]
) -> int:
    """Adds the keys of one session that are not known here; returns how many those were."""
    if not records:
        return 0
    statement = select(idempotency_keys.c.key).where(
        idempotency_keys.c.session_id == records[0].session_id,
        idempotency_keys.c.key.in_([record.idempotency.key for record in records]),
    )
    known = set((await connection.scalars(statement)).all())
    rows = [from_idempotency_record(one) for one in records if one.idempotency.key not in known]
    if rows:
        await connection.execute(insert(idempotency_keys), rows)
    return len(rows)


async def load_deletion(
    connection: AsyncConnection, search: SearchIndex, deletion: Deletion, *, replace: bool
) -> DeletionOutcome:
    """Takes a deletion in, where nothing here speaks against it; see `Transfer.load`."""
    here = await session_here(connection, deletion.session_id)
    if here is not None:
        if not replace or here.epoch != deletion.epoch or here.revision >= deletion.revision:
            return DeletionOutcome.CONFLICT
        await _remove(connection, search, deletion.session_id)
    mine = deletions.c.session_id == deletion.session_id
    row = (await connection.execute(select(*deletions.c).where(mine))).one_or_none()
    if row is not None and to_deletion(row) == deletion:
        return DeletionOutcome.KNOWN
    if row is not None and not replace:
        return DeletionOutcome.CONFLICT
    await connection.execute(delete(deletions).where(mine))
    await connection.execute(insert(deletions), from_deletion(deletion))
    return DeletionOutcome.TAKEN


async def _remove(connection: AsyncConnection, search: SearchIndex, session_id: SessionId) -> None:
    await connection.run_sync(search.remove, session_id, TITLE)
    await connection.execute(delete(events).where(events.c.session_id == session_id))
    await connection.execute(delete(messages).where(messages.c.session_id == session_id))
    await connection.execute(delete(sessions).where(sessions.c.id == session_id))
