"""On servers as well, a read or a commit costs what it returns, not what the store holds."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.backends.open import open_backend
from app.backends.protocol import EVERYTHING, Scope
from app.backends.sql.backend import SqlBackend
from app.backends.sql.rows import from_event, from_message, from_session
from app.backends.sql.tables import events, messages, sessions
from app.model.changes import (
    AddMessages,
    ArchiveMessages,
    Change,
    Commit,
    Committed,
    CopyMessages,
    CreateSession,
    DeleteMessage,
    DeleteSession,
    EditMessage,
    Idempotency,
    RenameSession,
    TruncateMessages,
)
from app.model.events import Event, EventKind, LogRead
from app.model.identifiers import (
    Epoch,
    MessageId,
    Position,
    Revision,
    Sequence,
    SessionId,
    SessionKey,
    UserId,
)
from app.model.message import Message, MessageRole, MessageScope, MessageStatus
from app.model.paging import (
    MessagePageRequest,
    SessionBound,
    SessionOrderField,
    SessionPageRequest,
    Take,
    Window,
)
from app.model.parts import TextPart
from app.model.session import Session, SessionKind
from app.model.timestamps import Timestamp
from tests.backends.conftest import AT, said
from tests.backends.statements import Statements
from tests.databases import DatabaseServer

OWNER = UserId("ana")
SCOPES = (EVERYTHING, Scope(OWNER))
SESSIONS = 2_000
LONG = SessionId(f"{7:032x}")
LENGTH = 10_000
FORK = SessionId("f" * 32)
MOST = 700
"""How many rows a statement here may read: a page's own, a few times, and no table of the store."""


def session_number(number: int) -> Session:
    """Returns one of many sessions, without messages."""
    at = Timestamp(f"2026-03-01T09:{number // 60 % 60:02d}:{number % 60:02d}.000000Z")
    return Session(
        id=SessionId(f"{number:032x}"),
        key=f"key {number}",
        owner_id=OWNER if number % 2 else UserId("bo"),
        agent_id=None,
        peer_agent_id=None,
        profile_id=None,
        title=f"title {number % 100}",
        kind=SessionKind.DIRECT,
        channel=None,
        forked_from=None,
        metadata={},
        pinned_at=None,
        starred_at=None,
        archived_at=None,
        created_at=at,
        updated_at=at,
        last_message_at=None,
        last_activity_at=at,
        message_count=0,
        archived_message_count=0,
        preview=None,
        last_sequence=Sequence(0),
        epoch=Epoch("e"),
        revision=Revision(0),
    )


def message_number(session_id: SessionId, number: int) -> Message:
    """Returns one of many messages."""
    return Message(
        session_id,
        Sequence(number),
        MessageRole.USER,
        MessageStatus.COMPLETE,
        (TextPart(f"message {number} of a long conversation"),),
        preview=f"message {number}",
        sender=None,
        model=None,
        usage=None,
        metadata={},
        created_at=AT,
        edited_at=None,
        archived_at=None,
    )


def fill(connection: Connection) -> None:
    """Writes many sessions, one of them long, and one as long beside it."""
    long_ones = (LONG, SessionId(f"{8:032x}"))
    rows = []
    for number in range(SESSIONS):
        session = session_number(number)
        if session.id in long_ones:
            session = replace(
                session,
                message_count=LENGTH,
                last_sequence=Sequence(LENGTH),
                revision=Revision(LENGTH),
            )
        rows.append(from_session(session, archived_through=0))
    connection.execute(insert(sessions), rows)
    for session_id in long_ones:
        numbers = range(1, LENGTH + 1)
        added = [message_number(session_id, number) for number in numbers]
        connection.execute(insert(messages), [from_message(message) for message in added])
        log = [
            Event(
                session_id,
                Revision(number),
                EventKind.MESSAGE_ADDED,
                AT,
                Sequence(number),
                {},
                message=None,
            )
            for number in numbers
        ]
        connection.execute(insert(events), [from_event(one) for one in log])


def rows_read_by_postgresql(connection: Connection, statement: str, parameters: Any) -> int:
    """Returns how many rows a statement takes from tables, by the planner's own account.

    A statement is planned as the session is set: for its values, or once for all.
    """
    values = ", ".join(map(literal_of, parameters))
    connection.exec_driver_sql(f"PREPARE explained AS {statement}")
    explained = connection.exec_driver_sql(
        f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE explained{f'({values})' if values else ''}"
    ).scalar()
    connection.exec_driver_sql("DEALLOCATE explained")
    plans: Any = json.loads(explained) if isinstance(explained, str) else explained
    return sum(
        int((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in nodes_of(plans[0]["Plan"])
        if "Relation Name" in node
    )


def literal_of(value: object) -> str:
    """Returns a parameter as it is written in PostgreSQL."""
    match value:
        case None:
            return "NULL"
        case str():
            return "'" + value.replace("'", "''") + "'"
        case list() | tuple():
            return f"ARRAY[{', '.join(map(literal_of, value))}]::{array_type(value)}[]"
        case _:
            return str(value)


def array_type(values: Collection[object]) -> str:
    """Returns the type of an array's values."""
    return "bigint" if values and isinstance(next(iter(values)), int) else "text"


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields a plan's node and all below it."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes_of(below)


def rows_read_by_mariadb(connection: Connection, statement: str, parameters: Any) -> int:
    """Returns how many rows a statement reads, by the counters of the storage engine."""
    connection.exec_driver_sql("FLUSH STATUS")
    result = connection.exec_driver_sql(statement, parameters)
    if result.returns_rows:
        result.all()
    counters = connection.exec_driver_sql(
        "SHOW SESSION STATUS WHERE variable_name LIKE 'Handler_read_%%' "
        "AND variable_name NOT LIKE '%%tmp%%'"
    )
    return sum(int(count) for _, count in counters)


READ_ROWS = {"postgresql": rows_read_by_postgresql, "mariadb": rows_read_by_mariadb}


@pytest.fixture
async def store(server: DatabaseServer) -> AsyncIterator[SqlBackend]:
    """A store with 2,000 sessions and 20,000 messages."""
    backend = await open_backend(await server.fresh("plans"))
    assert isinstance(backend, SqlBackend)
    async with AsyncEngine(backend.engines[1]).begin() as connection:
        await connection.run_sync(fill)
        for table in (sessions, messages, events):
            kind = "ANALYZE" if server.kind == "postgresql" else "ANALYZE TABLE"
            await connection.execute(text(f"{kind} {table.name}"))
    yield backend
    await backend.close()


async def costly(
    store: SqlBackend, statements: Statements, *, planned_once: bool = False
) -> list[tuple[str, int]]:
    """Returns the statements that read more rows than is right, with how many.

    `planned_once`: they are prepared as reads are, without a look at their values.
    """
    seen = dict(reversed([(statement, parameters) for statement, parameters in statements.seen]))
    read_rows = READ_ROWS[store.capabilities.name]
    found = []
    async with AsyncEngine(store.engines[1]).connect() as connection:
        for statement, parameters in seen.items():
            if planned_once and store.capabilities.name == "postgresql":
                await connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
            rows = await connection.run_sync(read_rows, statement, parameters)
            await connection.rollback()
            if rows > MOST:
                found.append((statement, rows))
    return found


async def test_reads_cost_what_they_return(store: SqlBackend) -> None:
    statements = Statements(store)
    bound = SessionBound("2026-03-01T09:10:00.000000Z", LONG)
    for scope in SCOPES:
        await store.get_sessions([LONG, FORK], scope)
        await store.find_sessions([SessionKey(OWNER, "key 7"), SessionKey(None, "b")], scope)
        await store.get_messages([MessageId(LONG, Sequence(5_000))], scope)
        for take in Take:
            for window in (
                Window(50, take),
                Window(50, take, before=Sequence(5_000)),
                Window(50, take, after=Sequence(5_000)),
            ):
                for kind in MessageScope:
                    await store.page_messages([MessagePageRequest(LONG, window, kind)], scope)
            for order in SessionOrderField:
                place = bound if order is not SessionOrderField.TITLE else ("title 5", LONG)
                for page in (Window(50, take), Window(50, take, after=SessionBound(*place))):
                    await store.page_sessions([SessionPageRequest(page, order=order)], scope)
        read = LogRead(LONG, Position(Epoch("e"), Revision(5_000)), 50)
        assert len((await store.read_logs([read], scope))[read].events) == 50  # type: ignore[union-attr]
        await store.get_users([OWNER], scope)
    assert len(statements.seen) > 60
    assert await costly(store, statements, planned_once=True) == []


async def test_commits_cost_what_they_change(store: SqlBackend) -> None:
    statements = Statements(store)
    steps: list[tuple[Change, ...]] = [
        (AddMessages((said("hello"),)), RenameSession("a")),
        (EditMessage(Sequence(5_000), parts=(TextPart("x"),)), DeleteMessage(Sequence(5_001))),
        (ArchiveMessages(Sequence(20)), TruncateMessages(Sequence(9_980))),
    ]
    for number, changes in enumerate(steps):
        commit = Commit(LONG, changes, AT, Idempotency(str(number), "digest"))
        [outcome] = await store.commit([commit], Scope(OWNER))
        assert isinstance(outcome, Committed), outcome
    fork = (
        CreateSession(key="b", epoch=Epoch("f"), owner_id=OWNER),
        CopyMessages(LONG, Sequence(40)),
    )
    for changes in (fork, (DeleteSession(),)):
        [outcome] = await store.commit([Commit(FORK, changes, AT)], Scope(OWNER))
        assert isinstance(outcome, Committed), outcome
    assert len(statements.seen) > 30
    inserted = [seen for seen in statements.seen if not seen[0].startswith("INSERT INTO")]
    statements.seen = inserted
    assert await costly(store, statements) == []


async def test_a_statement_that_reads_a_table_is_noticed(store: SqlBackend) -> None:
    statements = Statements(store)
    async with AsyncEngine(store.engines[0]).connect() as connection:
        await connection.exec_driver_sql("SELECT count(*) FROM messages WHERE preview = 'x'")
    assert len(await costly(store, statements)) == 1
