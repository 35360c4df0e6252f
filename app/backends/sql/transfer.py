"""Moving a store's content: every record out in a fixed order, and in again unchanged."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.backends.protocol import Scope
from app.backends.sql.dialects import insert_missing
from app.backends.sql.rows import (
    SESSION_COLUMNS,
    from_deletion,
    from_event,
    from_idempotency_record,
    from_message,
    from_session,
    owner_to_column,
    to_deletion,
    to_event,
    to_idempotency_record,
    to_message,
    to_session,
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
from app.backends.sql.writer import Writer
from app.model.errors import InvalidInput
from app.model.events import Event
from app.model.identifiers import SessionId
from app.model.message import Message
from app.model.records import Damage, Deletion, IdempotencyRecord, Loaded, Record
from app.model.session import Agent, Profile, Session, User

_CHUNK = 500
"""How many rows are read or written at once."""

_TRANSACTION = 5_000
"""After about how many rows a load commits; always between two sessions."""


async def export(
    engine: AsyncEngine, scope: Scope, *, after: SessionId | None
) -> AsyncIterator[Record]:
    """Yields every record in scope; see `Transfer.export`."""
    async with engine.connect() as connection:
        if after is None:
            async for record in _directory(connection, scope):
                yield record
        while ids := await _next_ids(connection, scope, after):
            for session_id in ids:
                # One read transaction a session: its rows are of one moment.
                await connection.exec_driver_sql("BEGIN")
                try:
                    async for record in _session(connection, session_id):
                        yield record
                finally:
                    await connection.exec_driver_sql("COMMIT")
            after = ids[-1]
        if scope.owner is None:
            async for row in _table(connection, deletions, deletions.c.session_id):
                yield to_deletion(row)
            async for row in _table(connection, damages, damages.c.digest):
                yield Damage(*row[1:])


async def _directory(connection: AsyncConnection, scope: Scope) -> AsyncIterator[Record]:
    if scope.owner is not None:
        async for row in _table(connection, users, users.c.id, id=scope.owner):
            yield User(*row)
        return
    for table, kind in ((users, User), (agents, Agent), (profiles, Profile)):
        async for row in _table(connection, table, table.c.id):
            yield kind(*row)


async def _next_ids(
    connection: AsyncConnection, scope: Scope, after: SessionId | None
) -> list[SessionId]:
    statement = select(sessions.c.id).order_by(sessions.c.id).limit(_CHUNK)
    if after is not None:
        statement = statement.where(sessions.c.id > after)
    if scope.owner is not None:
        statement = statement.where(sessions.c.owner_id == scope.owner)
    return [SessionId(value) for value in (await connection.execute(statement)).scalars()]


async def _table(
    connection: AsyncConnection, table: Table, key: Any, **only: Any
) -> AsyncIterator[Any]:
    statement = select(*table.c).filter_by(**only).order_by(key).limit(_CHUNK)
    place = list(table.c).index(key)
    rows = (await connection.execute(statement)).all()
    while rows:
        for row in rows:
            yield row
        if len(rows) < _CHUNK:
            return
        rows = (await connection.execute(statement.where(key > rows[-1][place]))).all()


async def _session(
    connection: AsyncConnection, session_id: SessionId
) -> AsyncGenerator[Record, None]:
    statement = select(*SESSION_COLUMNS).where(sessions.c.id == session_id)
    row = (await connection.execute(statement)).one_or_none()
    if row is None:
        return
    mine = {"session_id": session_id}
    yield to_session(row)
    async for row in _table(connection, messages, messages.c.sequence, **mine):
        yield to_message(row)
    async for row in _table(connection, events, events.c.revision, **mine):
        yield to_event(row, None)
    async for row in _table(connection, idempotency_keys, idempotency_keys.c.key, **mine):
        yield to_idempotency_record(row)


async def load(writer: Writer, records: AsyncIterator[Record]) -> Loaded:
    """Takes records in; see `Transfer.load`."""
    loading = _Loading()
    ahead = await anext(records, None)
    while ahead is not None:
        async with writer.transaction() as connection:
            loading.rows = 0
            while ahead is not None and loading.rows < _TRANSACTION:
                if not isinstance(ahead, Session):
                    await _load_record(connection, ahead, loading)
                    ahead = await anext(records, None)
                    continue
                ahead = await _load_session(connection, ahead, records, loading)
    return Loaded(
        loading.sessions,
        loading.messages,
        loading.unchanged,
        tuple(loading.conflicts),
        loading.damages,
    )


@dataclass(slots=True)
class _Loading:
    sessions: int = 0
    messages: int = 0
    unchanged: int = 0
    conflicts: list[SessionId] = field(default_factory=list)
    damages: int = 0
    rows: int = 0


async def _load_record(connection: AsyncConnection, record: Record, loading: _Loading) -> None:
    loading.rows += 1
    match record:
        case User() | Agent() | Profile():
            table = {User: users, Agent: agents, Profile: profiles}[type(record)]
            named = {"id": record.id, "display_name": record.display_name}
            statement = sqlite_insert(table).values(named)
            if record.display_name is not None:
                statement = statement.on_conflict_do_update(
                    index_elements=[table.c.id], set_={"display_name": record.display_name}
                )
            else:
                statement = statement.on_conflict_do_nothing()
            await connection.execute(statement)
        case Damage():
            place = f"{record.source}\0{record.line}\0".encode()
            digest = hashlib.sha256(place + record.content).hexdigest()
            values = {
                "digest": digest,
                "source": record.source,
                "line": record.line,
                "reason": record.reason,
                "content": record.content,
            }
            result = await connection.execute(
                sqlite_insert(damages).values(values).on_conflict_do_nothing()
            )
            loading.damages += result.rowcount
        case Deletion():
            alive = select(sessions.c.id).where(sessions.c.id == record.session_id)
            if (await connection.execute(alive)).scalar() is not None:
                loading.conflicts.append(record.session_id)
            else:
                await connection.execute(
                    sqlite_insert(deletions).values(from_deletion(record)).on_conflict_do_nothing()
                )
        case Message() | Event() | IdempotencyRecord():
            raise InvalidInput(
                f"a record of session {record.session_id} does not stand behind its session"
            )
        case Session():
            raise AssertionError("sessions are loaded with what stands behind them")


async def _load_session(
    connection: AsyncConnection,
    session: Session,
    records: AsyncIterator[Record],
    loading: _Loading,
) -> Record | None:
    """Loads a session with the records behind it, and returns the first that is not its own."""
    if await _is_taken(connection, session):
        same, ahead = await _compare(connection, session, records)
        if same:
            loading.unchanged += 1
        else:
            loading.conflicts.append(session.id)
        return ahead
    savepoint = await connection.begin_nested()
    try:
        await connection.execute(delete(deletions).where(deletions.c.session_id == session.id))
        await connection.execute(insert(sessions), from_session(session, archived_through=0))
        await _make_known(connection, session)
        ahead = await _load_rows(connection, session, records, loading)
        await _verify(connection, session)
    except BaseException:
        await savepoint.rollback()
        raise
    await savepoint.commit()
    loading.sessions += 1
    return ahead


async def _is_taken(connection: AsyncConnection, session: Session) -> bool:
    """Answers whether the store has something in the session's place.

    A session of the same life that was deleted here counts: a load must not bring it back.
    """
    by_id = select(sessions.c.id).where(sessions.c.id == session.id)
    by_key = select(sessions.c.id).where(
        sessions.c.owner_id == owner_to_column(session.owner_id), sessions.c.key == session.key
    )
    gone = select(deletions.c.session_id).where(
        deletions.c.session_id == session.id, deletions.c.epoch == session.epoch
    )
    for statement in (by_id, by_key, gone):
        if (await connection.execute(statement)).first() is not None:
            return True
    return False


async def _compare(
    connection: AsyncConnection, session: Session, records: AsyncIterator[Record]
) -> tuple[bool, Record | None]:
    """Compares a session with what the store has under its id, record by record.

    Answers whether they are the same, and the first record that is not the session's.
    """
    here = _session(connection, session.id)
    same = await anext(here, None) == session
    ahead: Record | None = None
    async for record in records:
        if not _belongs(record, session):
            ahead = record
            break
        same = same and await anext(here, None) == record
    same = same and await anext(here, None) is None
    await here.aclose()
    return same, ahead


async def _make_known(connection: AsyncConnection, session: Session) -> None:
    owner = [{"id": session.owner_id}] if session.owner_id is not None else []
    named = [{"id": i} for i in (session.agent_id, session.peer_agent_id) if i is not None]
    profile = [{"id": session.profile_id}] if session.profile_id is not None else []
    for table, rows in ((users, owner), (agents, named), (profiles, profile)):
        await connection.run_sync(insert_missing, table, rows)


async def _make_senders_known(connection: AsyncConnection, rows: list[dict[str, Any]]) -> None:
    for table, column in ((users, "sender_user_id"), (agents, "sender_agent_id")):
        senders = {row[column] for row in rows if row[column] is not None}
        named = [{"id": sender} for sender in sorted(senders)]
        await connection.run_sync(insert_missing, table, named)


def _belongs(record: Record, session: Session) -> bool:
    return (
        isinstance(record, Message | Event | IdempotencyRecord) and record.session_id == session.id
    )


async def _load_rows(
    connection: AsyncConnection,
    session: Session,
    records: AsyncIterator[Record],
    loading: _Loading,
) -> Record | None:
    rows: dict[Table, list[dict[str, Any]]] = {messages: [], events: [], idempotency_keys: []}

    async def write(table: Table) -> None:
        if rows[table]:
            if table is messages:
                await _make_senders_known(connection, rows[table])
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
        func.max(messages.c.sequence).filter(messages.c.archived_at.is_not(None)), 0
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
    wrong = [
        what
        for what, right in (
            ("messages", total == session.message_count),
            ("archived messages", archived == session.archived_message_count == behind_border),
            ("last sequence", highest <= session.last_sequence),
            ("events", logged == session.revision == (last or 0)),
        )
        if not right
    ]
    if wrong:
        raise InvalidInput(
            f"session {session.id} is not whole: its {', '.join(wrong)} do not fit its header"
        )
    await connection.execute(
        update(sessions)
        .where(sessions.c.id == session.id)
        .values(archived_through=archived_through)
    )
