"""Examining a whole store: counters against recounts, the log for gaps, the database itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, update

from app.backends.protocol import Finding, Severity
from app.backends.sql.async_connections import AsyncConnections
from app.backends.sql.dialects.dialect import DATABASE_ERRORS, Dialect
from app.backends.sql.tables import damages, events, messages, sessions

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

_NAMED = 10
"""How many sessions a finding names."""

_CHUNK = 500
"""How many sessions are mended at once."""

_MINE = messages.c.session_id == sessions.c.id
_LAST = (
    select(messages.c.created_at)
    .where(_MINE)
    .order_by(messages.c.sequence.desc())
    .limit(1)
    .scalar_subquery()
)
_RECOUNTS: dict[str, ColumnElement[object]] = {
    "message_count": select(func.count()).where(_MINE).scalar_subquery(),
    "archived_message_count": select(func.count(messages.c.archived_at))
    .where(_MINE)
    .scalar_subquery(),
    "last_message_at": _LAST,
    "last_activity_at": func.coalesce(_LAST, sessions.c.created_at),
    "preview": select(messages.c.preview)
    .where(_MINE, messages.c.preview.is_not(None))
    .order_by(messages.c.sequence.desc())
    .limit(1)
    .scalar_subquery(),
}
_DRIFTED = or_(*[sessions.c[name].is_distinct_from(value) for name, value in _RECOUNTS.items()])


async def check(dialect: Dialect, engine: AsyncConnections) -> AsyncIterator[Finding]:
    """Yields what is to be said of the store; see `Backend.check`."""
    try:
        async with engine.connect() as connection:
            async for finding in dialect.findings(connection):
                yield finding
            for found in [
                await _counters(connection),
                await _log(connection),
                await _sequences(connection),
                await _archive(connection),
                await _orphans(connection),
                await _damages(connection),
                await _search(dialect, connection),
            ]:
                if found is not None:
                    yield found
    except DATABASE_ERRORS as error:
        raise dialect.explain(error) from error


async def _counters(connection: AsyncConnection) -> Finding | None:
    return await _sessions_with(
        connection,
        select(sessions.c.id).where(_DRIFTED),
        "COUNTERS_DRIFTED",
        "have counters that differ from a recount",
        "Run `scrollback doctor --repair`, which sets them to the recount.",
    )


async def _log(connection: AsyncConnection) -> Finding | None:
    logged = (
        select(
            events.c.session_id,
            func.count().label("count"),
            func.max(events.c.revision).label("top"),
        )
        .group_by(events.c.session_id)
        .subquery()
    )
    wrong = or_(
        func.coalesce(logged.c.count, 0) != sessions.c.revision,
        func.coalesce(logged.c.top, 0) != sessions.c.revision,
    )
    return await _sessions_with(
        connection,
        select(sessions.c.id).outerjoin(logged, logged.c.session_id == sessions.c.id).where(wrong),
        "LOG_GAP",
        "have an event log with a gap",
        "Their watchers may have missed changes: restore a backup, or fork these sessions.",
    )


async def _sequences(connection: AsyncConnection) -> Finding | None:
    highest = select(func.max(messages.c.sequence)).where(_MINE).scalar_subquery()
    return await _sessions_with(
        connection,
        select(sessions.c.id).where(highest > sessions.c.last_sequence),
        "SEQUENCE_BEHIND",
        "would number their next message twice",
        "Stop writing to the store and restore a backup.",
    )


async def _archive(connection: AsyncConnection) -> Finding | None:
    misplaced = select(messages.c.sequence).where(
        _MINE,
        or_(
            and_(
                messages.c.archived_at.is_(None),
                messages.c.sequence <= sessions.c.archived_through,
            ),
            and_(
                messages.c.archived_at.is_not(None),
                messages.c.sequence > sessions.c.archived_through,
            ),
        ),
    )
    return await _sessions_with(
        connection,
        select(sessions.c.id).where(misplaced.exists()),
        "ARCHIVE_BORDER",
        "have archived and active messages on the wrong side of their border",
        "Restore a backup, or export these sessions and import them again.",
    )


async def _orphans(connection: AsyncConnection) -> Finding | None:
    orphans = 0
    for table in (messages, events):
        orphans += (
            await connection.scalar(
                select(func.count())
                .select_from(table)
                .where(table.c.session_id.not_in(select(sessions.c.id)))
            )
            or 0
        )
    if not orphans:
        return None
    return Finding(
        Severity.ERROR,
        "ORPHANS",
        f"{orphans} messages or events belong to no session",
        "Something other than Scrollback changed the store: restore a backup.",
    )


async def _damages(connection: AsyncConnection) -> Finding | None:
    kept = await connection.scalar(select(func.count()).select_from(damages))
    if not kept:
        return None
    return Finding(
        Severity.INFO,
        "DAMAGE_KEPT",
        f"{kept} damaged records of imported files are kept as they came",
        "Run `scrollback export` and look at the records of type damage.",
    )


async def _search(dialect: Dialect, connection: AsyncConnection) -> Finding | None:
    return _finding(
        await connection.run_sync(dialect.search.disagreeing),
        "SEARCH_DRIFTED",
        "are not found by what they say, but by something else",
        "Run `scrollback doctor --repair`, which makes the search index anew.",
    )


async def _sessions_with(
    connection: AsyncConnection, statement: Select[str], code: str, fault: str, remedy: str
) -> Finding | None:
    found = (await connection.scalars(statement.order_by(sessions.c.id))).all()
    return _finding(found, code, fault, remedy)


def _finding(found: Sequence[str], code: str, fault: str, remedy: str) -> Finding | None:
    if not found:
        return None
    named = ", ".join(found[:_NAMED]) + (" …" if len(found) > _NAMED else "")
    return Finding(Severity.ERROR, code, f"{len(found)} sessions {fault}: {named}", remedy)


async def repair(dialect: Dialect, connection: AsyncConnection) -> int:
    """Sets drifted counters to their recount, and brings the search index to the texts.

    Returns how many sessions were mended.
    """
    mended = await _recount(connection)
    search = dialect.search
    if disagreeing := await connection.run_sync(search.disagreeing):
        await connection.run_sync(search.rebuild, disagreeing)
    return mended + len(disagreeing)


async def _recount(connection: AsyncConnection) -> int:
    drifted = (await connection.scalars(select(sessions.c.id).where(_DRIFTED))).all()
    mended = 0
    for start in range(0, len(drifted), _CHUNK):
        # Locked first and counted anew then: others may be writing to them.
        mine = sessions.c.id.in_(drifted[start : start + _CHUNK])
        await connection.execute(select(sessions.c.id).where(mine).with_for_update())
        result = await connection.execute(update(sessions).where(mine, _DRIFTED).values(_RECOUNTS))
        mended += result.rowcount
    return mended
