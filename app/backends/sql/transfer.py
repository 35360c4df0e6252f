"""Giving a store's content out: every record, in one fixed order. `load` takes them in again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, select

from app.backends.protocol import Scope
from app.backends.sql.async_connections import AsyncConnections
from app.backends.sql.dialects.dialect import DATABASE_ERRORS, Dialect
from app.backends.sql.rows import (
    SESSION_COLUMNS,
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
from app.model.identifiers import SessionId
from app.model.records import Damage, Record
from app.model.session import Agent, Profile, User

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

_CHUNK = 500
"""How many rows are read at once."""


async def export(
    dialect: Dialect, engine: AsyncConnections, scope: Scope, *, after: SessionId | None
) -> AsyncIterator[Record]:
    """Yields every record in scope; see `Transfer.export`. Raises `StoreUnavailable`."""
    try:
        # A reader who stops early ends the transaction too, before the connection is given back.
        async with (
            engine.connect() as connection,
            aclosing(_records(dialect, connection, scope, after)) as records,
        ):
            async for record in records:
                yield record
    except DATABASE_ERRORS as error:
        raise dialect.explain(error) from error


async def _records(
    dialect: Dialect, connection: AsyncConnection, scope: Scope, after: SessionId | None
) -> AsyncGenerator[Record, None]:
    if after is None:
        async with dialect.snapshot(connection):
            async for record in _directory(connection, scope):
                yield record
    while ids := await _next_ids(dialect, connection, scope, after):
        for session_id in ids:
            # One read transaction a session: its rows are of one moment.
            async with dialect.snapshot(connection):
                async for record in export_session(connection, session_id):
                    yield record
        after = ids[-1]
    if scope.owner is None:
        async with dialect.snapshot(connection):
            async for row in _table(connection, deletions, deletions.c.session_id):
                deletion = to_deletion(row)
                yield deletion
                async for key in _idempotency_keys(connection, deletion.session_id):
                    yield key
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
    dialect: Dialect, connection: AsyncConnection, scope: Scope, after: SessionId | None
) -> list[SessionId]:
    statement = select(sessions.c.id).order_by(sessions.c.id).limit(_CHUNK)
    if after is not None:
        statement = statement.where(sessions.c.id > after)
    if scope.owner is not None:
        statement = statement.where(sessions.c.owner_id == scope.owner)
    async with dialect.snapshot(connection):
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


async def export_session(
    connection: AsyncConnection, session_id: SessionId
) -> AsyncGenerator[Record, None]:
    """Yields a session and what belongs to it; nothing where it is not there.

    The caller's transaction makes it one state.
    """
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
    async for key in _idempotency_keys(connection, session_id):
        yield key


async def _idempotency_keys(
    connection: AsyncConnection, session_id: SessionId
) -> AsyncIterator[Record]:
    key = idempotency_keys.c.key
    async for row in _table(connection, idempotency_keys, key, session_id=session_id):
        yield to_idempotency_record(row)
