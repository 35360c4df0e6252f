"""Taking records in, as `app.backends.sql.transfer` gives them out, in transactions of many."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, case, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.backends.sql.dialects.dialect import Dialect
from app.backends.sql.replacement import (
    DeletionOutcome,
    LogComparison,
    add_idempotency_keys,
    begin_replacement,
    load_deletion,
    may_be_earlier,
    session_here,
)
from app.backends.sql.rows import (
    from_event,
    from_idempotency_record,
    from_message,
    from_session,
    owner_to_column,
)
from app.backends.sql.tables import (
    agents,
    damages,
    deletions,
    events,
    idempotency_keys,
    messages,
    profiles,
    sessions,
    users,
)
from app.backends.sql.transfer import export_session
from app.backends.sql.writer import Writer
from app.model.errors import InvalidInput
from app.model.events import Event
from app.model.identifiers import SessionId
from app.model.message import Message
from app.model.records import Damage, Deletion, IdempotencyRecord, Loaded, Record
from app.model.refusals import record_misplaced, session_not_whole
from app.model.session import Agent, Profile, Session, User
from app.model.wholeness import SessionTally

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

_CHUNK = 500
"""How many rows are written at once."""

_TRANSACTION = 5_000
"""After about how many rows a load commits; always between two sessions."""


async def load(
    dialect: Dialect, writer: Writer, records: AsyncIterator[Record], *, replace: bool
) -> Loaded:
    """Takes records in; see `Transfer.load`."""
    loading = _Loading(dialect, replace)
    ahead = await anext(records, None)
    while ahead is not None:
        async with writer.transaction() as connection:
            try:
                ahead = await _load_some(connection, ahead, records, loading)
            except InvalidInput as error:
                # What came before stays.
                refusal = error
            else:
                continue
        raise refusal
    return Loaded(
        loading.sessions,
        loading.messages,
        loading.unchanged,
        tuple(loading.conflicts),
        loading.damages,
        loading.replaced,
        loading.deletions,
    )


async def _load_some(
    connection: AsyncConnection,
    ahead: Record | None,
    records: AsyncIterator[Record],
    loading: _Loading,
) -> Record | None:
    """Loads what one transaction should hold, and returns the first record behind it."""
    loading.rows = 0
    while ahead is not None and loading.rows < _TRANSACTION:
        if isinstance(ahead, Session):
            ahead = await _load_session(connection, ahead, records, loading)
        else:
            await _load_record(connection, ahead, loading)
            ahead = await anext(records, None)
    return ahead


@dataclass(slots=True)
class _Loading:
    dialect: Dialect
    replace: bool
    sessions: int = 0
    messages: int = 0
    unchanged: int = 0
    conflicts: list[SessionId] = field(default_factory=list)
    damages: int = 0
    replaced: int = 0
    deletions: int = 0
    rows: int = 0
    deleted: SessionId | None = None
    """The session of the deletion that was read last, and whether its keys are taken in."""
    takes_keys: bool = False


async def _load_record(connection: AsyncConnection, record: Record, loading: _Loading) -> None:
    loading.rows += 1
    match record:
        case User() | Agent() | Profile():
            table = {User: users, Agent: agents, Profile: profiles}[type(record)]
            named = {"id": record.id, "display_name": record.display_name}
            if record.display_name is not None:
                statement = loading.dialect.insert_or_update(table, "display_name")
            else:
                statement = loading.dialect.insert_missing(table)
            await connection.execute(statement, named)
        case Damage():
            values = {
                "digest": record.digest,
                "source": record.source,
                "line": record.line,
                "reason": record.reason,
                "content": record.content,
            }
            known = select(damages.c.digest).where(damages.c.digest == record.digest)
            if await connection.scalar(known) is None:
                await connection.execute(loading.dialect.insert_missing(damages), values)
                loading.damages += 1
        case Deletion():
            outcome = await load_deletion(
                connection, loading.dialect.search, record, replace=loading.replace
            )
            taken, conflict = outcome is DeletionOutcome.TAKEN, outcome is DeletionOutcome.CONFLICT
            loading.deletions += taken
            if conflict:
                loading.conflicts.append(record.session_id)
            loading.deleted = record.session_id
            loading.takes_keys = taken or (loading.replace and not conflict)
        case IdempotencyRecord() if record.session_id == loading.deleted:
            if loading.takes_keys:
                row = from_idempotency_record(record)
                await connection.run_sync(loading.dialect.add_missing, idempotency_keys, [row])
        case Message() | Event() | IdempotencyRecord():
            raise record_misplaced(record.session_id)
        case Session():
            raise AssertionError("sessions are loaded with what stands behind them")


async def _load_session(
    connection: AsyncConnection,
    session: Session,
    records: AsyncIterator[Record],
    loading: _Loading,
) -> Record | None:
    """Loads a session with the records behind it, and returns the first that is not its own."""
    here = await session_here(connection, session.id)
    if here is None and not await _is_taken(connection, session):
        return await _write_session(connection, session, records, loading)
    if loading.replace and here is not None and may_be_earlier(here, session):
        return await _write_session(connection, session, records, loading, earlier=here)
    return await _compare(connection, session, records, loading)


async def _write_session(
    connection: AsyncConnection,
    session: Session,
    records: AsyncIterator[Record],
    loading: _Loading,
    *,
    earlier: Session | None = None,
) -> Record | None:
    written = loading.messages
    savepoint = await connection.begin_nested()
    try:
        search, log = loading.dialect.search, LogComparison()
        if earlier:
            log = await begin_replacement(connection, search, earlier)
        await connection.execute(delete(deletions).where(deletions.c.session_id == session.id))
        if not await _take_place(connection, session):
            await savepoint.rollback()
            return await _compare(connection, session, records, loading)
        await _make_known(loading.dialect, connection, session)
        ahead = await _load_rows(connection, session, records, loading, log)
        await _verify(connection, session)
        await connection.run_sync(search.add_session, session.id)
    except BaseException:
        await savepoint.rollback()
        raise
    if not log.is_beginning:
        await savepoint.rollback()
        loading.messages = written
        loading.conflicts.append(session.id)
        return ahead
    await savepoint.commit()
    if earlier is None:
        loading.sessions += 1
    else:
        loading.replaced += 1
    return ahead


async def _take_place(connection: AsyncConnection, session: Session) -> bool:
    """Writes the session, and answers whether it could: another may just have taken its place."""
    try:
        await connection.execute(insert(sessions), from_session(session, archived_through=0))
    except IntegrityError:
        return False
    return True


async def _is_taken(connection: AsyncConnection, session: Session) -> bool:
    """Answers whether another session has this one's key, or this one was deleted here.

    Deleted in the same life, that is: a load must not bring it back.
    """
    by_key = select(sessions.c.id).where(
        sessions.c.owner_id == owner_to_column(session.owner_id), sessions.c.key == session.key
    )
    gone = select(deletions.c.session_id).where(
        deletions.c.session_id == session.id, deletions.c.epoch == session.epoch
    )
    for statement in (by_key, gone):
        if (await connection.execute(statement)).first() is not None:
            return True
    return False


async def _compare(
    connection: AsyncConnection,
    session: Session,
    records: AsyncIterator[Record],
    loading: _Loading,
) -> Record | None:
    """Compares a session with what the store has under its id, record by record.

    Where replacing, idempotency keys alone may differ, and those that come are added. Returns the
    first record that is not the session's. Raises `InvalidInput` where it does not come whole.
    """
    tally = SessionTally()
    savepoint = await connection.begin_nested()
    here = export_session(connection, session.id)
    same = alike = await anext(here, None) == session
    late: list[IdempotencyRecord] = []
    added = 0
    ahead: Record | None = None
    async for record in records:
        if not _belongs(record, session):
            ahead = record
            break
        tally.take(record)
        same = same and await anext(here, None) == record
        if same:
            continue
        alike = alike and isinstance(record, IdempotencyRecord)
        if alike and loading.replace and isinstance(record, IdempotencyRecord):
            late.append(record)
        if len(late) >= _CHUNK:
            added += await add_idempotency_keys(connection, late)
            late = []
    rest = await anext(here, None) if same else None
    await here.aclose()
    if not tally.fits(session):
        await savepoint.rollback()
        raise session_not_whole(session.id)
    if alike and loading.replace and isinstance(rest, IdempotencyRecord | None):
        added += await add_idempotency_keys(connection, late)
        loading.replaced += added > 0
        loading.unchanged += not added
    elif same and rest is None:
        loading.unchanged += 1
    else:
        loading.conflicts.append(session.id)
    await savepoint.commit()
    return ahead


async def _make_known(dialect: Dialect, connection: AsyncConnection, session: Session) -> None:
    owner = [{"id": session.owner_id}] if session.owner_id is not None else []
    named = [{"id": i} for i in (session.agent_id, session.peer_agent_id) if i is not None]
    profile = [{"id": session.profile_id}] if session.profile_id is not None else []
    for table, rows in ((users, owner), (agents, named), (profiles, profile)):
        await connection.run_sync(dialect.add_missing, table, rows)


async def _make_senders_known(
    dialect: Dialect, connection: AsyncConnection, rows: list[dict[str, Any]]
) -> None:
    for table, column in ((users, "sender_user_id"), (agents, "sender_agent_id")):
        senders = {row[column] for row in rows if row[column] is not None}
        named = [{"id": sender} for sender in sorted(senders)]
        await connection.run_sync(dialect.add_missing, table, named)


def _belongs(record: Record, session: Session) -> bool:
    return (
        isinstance(record, Message | Event | IdempotencyRecord) and record.session_id == session.id
    )


async def _load_rows(
    connection: AsyncConnection,
    session: Session,
    records: AsyncIterator[Record],
    loading: _Loading,
    log: LogComparison,
) -> Record | None:
    rows: dict[Table, list[dict[str, Any]]] = {messages: [], events: [], idempotency_keys: []}

    async def write(table: Table) -> None:
        if rows[table]:
            if table is messages:
                await _make_senders_known(loading.dialect, connection, rows[table])
            if table is idempotency_keys:
                # Those of a former life of the session are here still.
                await connection.run_sync(loading.dialect.add_missing, table, rows[table])
            else:
                await connection.execute(insert(table), rows[table])
            loading.rows += len(rows[table])
            rows[table] = []

    ahead: Record | None = None
    async for record in records:
        if not _belongs(record, session):
            ahead = record
            break
        match record:
            case Message():
                table, row = messages, from_message(record)
                loading.messages += 1
            case Event():
                table, row = events, from_event(record)
                log.take(record.revision, row)
            case IdempotencyRecord():
                table, row = idempotency_keys, from_idempotency_record(record)
            case _:
                raise AssertionError("what belongs to a session is one of these")
        rows[table].append(row)
        if len(rows[table]) >= _CHUNK:
            await write(table)
    for table in rows:
        await write(table)
    return ahead


async def _verify(connection: AsyncConnection, session: Session) -> None:
    mine = messages.c.session_id == session.id
    border = func.coalesce(
        func.max(case((messages.c.archived_at.is_not(None), messages.c.sequence))), 0
    )
    total, archived, highest, archived_through = (
        await connection.execute(
            select(
                func.count(),
                func.count(messages.c.archived_at),
                func.coalesce(func.max(messages.c.sequence), 0),
                border,
            ).where(mine)
        )
    ).one()
    logged, last = (
        await connection.execute(
            select(func.count(), func.max(events.c.revision)).where(
                events.c.session_id == session.id
            )
        )
    ).one()
    behind_border = await connection.scalar(
        select(func.count()).where(mine, messages.c.sequence <= archived_through)
    )
    whole = (
        total == session.message_count,
        archived == session.archived_message_count == behind_border,
        highest <= session.last_sequence,
        logged == session.revision == (last or 0),
    )
    if not all(whole):
        raise session_not_whole(session.id)
    await connection.execute(
        update(sessions)
        .where(sessions.c.id == session.id)
        .values(archived_through=archived_through)
    )
