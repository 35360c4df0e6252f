"""Every statement of a read or a commit is served by an index, however large the store is."""

from __future__ import annotations

import re
from typing import Any

from app.backends.protocol import EVERYTHING, Scope
from app.backends.sql.backend import SqlBackend
from app.model.changes import (
    AddMessages,
    ArchiveMessages,
    Change,
    Commit,
    CopyMessages,
    CreateSession,
    DeleteMessage,
    DeleteSession,
    EditMessage,
    Idempotency,
    RenameSession,
    TruncateMessages,
)
from app.model.events import LogRead
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
from app.model.message import MessageRole, MessageScope, NewMessage
from app.model.paging import (
    MessagePageRequest,
    SessionBound,
    SessionOrderField,
    SessionPageRequest,
    Take,
    Window,
)
from app.model.parts import TextPart
from app.model.timestamps import now
from tests.backends.statements import Statements

OWNER = UserId("ana")
SESSION = SessionId("a" * 32)
FORK = SessionId("b" * 32)
SCOPES = (EVERYTHING, Scope(OWNER))
# What may be read whole: what the client sent, and what the statement made of it.
HARMLESS = re.compile(r"SCAN (r\b|one\b|page\b|given\b|\(subquery|CONSTANT|\d+ CONSTANT)")


async def plans(store: SqlBackend, statements: Statements) -> dict[str, list[str]]:
    explained: dict[str, list[str]] = {}
    with store.engines[2].connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        for statement, parameters in list(statements.seen):
            # On the driver itself: parameters come by position and by name.
            rows = driver.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            explained[statement] = [str(row[3]) for row in rows]
    return explained


def scans(explained: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [
        (statement, step)
        for statement, steps in explained.items()
        for step in steps
        if step.startswith("SCAN") and not HARMLESS.match(step)
    ]


async def test_reads_scan_no_table(store: SqlBackend) -> None:
    statements = Statements(store)
    bound = SessionBound("2026", SESSION)
    for scope in SCOPES:
        await store.get_sessions([SESSION, FORK], scope)
        await store.find_sessions([SessionKey(OWNER, "a"), SessionKey(None, "b")], scope)
        await store.get_messages([MessageId(SESSION, Sequence(1))], scope)
        for take in Take:
            await store.page_messages(
                [
                    MessagePageRequest(
                        SESSION, Window(50, take, Sequence(1), Sequence(9)), messages
                    )
                    for messages in MessageScope
                ],
                scope,
            )
            for messages in MessageScope:
                end = MessagePageRequest(SESSION, Window(50, take), messages)
                await store.page_messages([end], scope)
            for order in SessionOrderField:
                window = Window(50, take, after=bound, before=bound)
                await store.page_sessions([SessionPageRequest(window, order=order)], scope)
        await store.read_logs([LogRead(SESSION, Position(Epoch("e"), Revision(0)), 9)], scope)
        await store.get_users([OWNER], scope)
    # 20 statements for each of the two scopes: a read that ran none would prove nothing.
    assert len(statements.seen) == 40
    assert scans(await plans(store, statements)) == []


async def test_the_first_page_of_sessions_stops_when_it_is_full(store: SqlBackend) -> None:
    statements = Statements(store)
    for scope in SCOPES:
        for order in SessionOrderField:
            await store.page_sessions([SessionPageRequest(Window(20), order=order)], scope)
    explained = await plans(store, statements)
    read = [step for steps in explained.values() for step in steps if "sessions" in step]
    assert read
    assert [step for step in read if "USING INDEX ix_sessions_" not in step] == []


async def test_commits_scan_no_table(store: SqlBackend) -> None:
    statements = Statements(store)
    said = NewMessage(MessageRole.USER, (TextPart("hello"),), preview="hello")
    steps: list[tuple[Change, ...]] = [
        (CreateSession(key="a", epoch=Epoch("e"), owner_id=OWNER), AddMessages((said,) * 9)),
        (AddMessages((said,)), RenameSession("a")),
        (EditMessage(Sequence(3), parts=(TextPart("x"),)), DeleteMessage(Sequence(4))),
        (ArchiveMessages(Sequence(5)), TruncateMessages(Sequence(8))),
    ]
    for number, changes in enumerate(steps):
        commit = Commit(SESSION, changes, now(), Idempotency(str(number), "digest"))
        [outcome] = await store.commit([commit], Scope(OWNER))
        assert not isinstance(outcome, Exception)
    fork = (
        CreateSession(key="b", epoch=Epoch("f"), owner_id=OWNER),
        CopyMessages(SESSION, Sequence(7)),
    )
    await store.commit([Commit(FORK, fork, now())], Scope(OWNER))
    await store.commit([Commit(FORK, (DeleteSession(),), now())], Scope(OWNER))
    assert len(statements.seen) > 40
    assert scans(await plans(store, statements)) == []


async def test_a_plan_that_scans_is_noticed(store: SqlBackend) -> None:
    statements = Statements(store)
    with store.engines[2].connect() as connection:
        connection.exec_driver_sql("SELECT * FROM messages WHERE preview = ?", ("x",))
    assert [step for _, step in scans(await plans(store, statements))] == ["SCAN messages"]
