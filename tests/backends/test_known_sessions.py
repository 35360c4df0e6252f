"""What a writer knows of the sessions that it wrote to last is used only while it is true."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import update

from app.backends.protocol import EVERYTHING, Scope
from app.backends.sql.backend import SqlBackend
from app.backends.sql.known_sessions import Known, KnownSessions
from app.backends.sql.open import open_sqlite
from app.backends.sql.tables import sessions
from app.model.changes import (
    AddMessages,
    Commit,
    Committed,
    DeleteMessage,
    RenameSession,
    SetMetadata,
)
from app.model.errors import NotFound
from app.model.identifiers import Sequence, SessionId, UserId
from app.model.session import Session
from tests.backends.conftest import AT, SESSION, commit, create, said
from tests.backends.statements import Statements

SPEAK = AddMessages((said("hello"),))


async def session_of(store: SqlBackend) -> Session:
    found = (await store.get_sessions([SESSION], EVERYTHING))[SESSION]
    assert isinstance(found, Session)
    return found


def reads_of_sessions(statements: Statements) -> int:
    return sum("FROM json_each" in text and "sessions s" in text for text, _ in statements.seen)


async def test_a_session_is_read_once_while_nobody_else_writes(store: SqlBackend) -> None:
    await create(store)
    statements = Statements(store)
    for _ in range(3):
        await commit(store, SPEAK)
    assert reads_of_sessions(statements) == 1
    assert (await session_of(store)).message_count == 3


async def test_what_another_process_wrote_in_between_is_gone_on_from(
    store: SqlBackend, path: Path
) -> None:
    await create(store)
    other, _ = await open_sqlite(path, migrate=False)
    for number in range(1, 7):
        committed = await commit((store, other)[number % 2], SPEAK)
        assert list(committed.sequences) == [number]
    await other.close()
    assert (await session_of(store)).message_count == 6


async def test_what_a_long_write_of_the_same_process_changed_is_gone_on_from(
    store: SqlBackend,
) -> None:
    await create(store, "one")
    await commit(store, SPEAK)
    async with store._writer.transaction() as connection:
        await connection.execute(update(sessions).values(message_count=40))
    await commit(store, SPEAK)
    assert (await session_of(store)).message_count == 41


async def test_other_changes_of_a_session_are_gone_on_from(store: SqlBackend) -> None:
    await create(store, "one")
    for number in range(2, 6):
        await commit(store, SPEAK)
        await commit(store, RenameSession(f"title {number}"))
        await commit(store, SPEAK)
        await commit(store, DeleteMessage(Sequence(2 * number - 2)))
    found = await session_of(store)
    assert (found.title, found.message_count, found.last_sequence) == ("title 5", 5, 9)


async def test_all_kinds_of_changes_in_one_transaction_see_each_other(store: SqlBackend) -> None:
    await create(store, "one")
    changes = [SPEAK, DeleteMessage(Sequence(2)), SPEAK, RenameSession("new"), SPEAK]
    works = [store.commit([Commit(SESSION, (change,), AT)], EVERYTHING) for change in changes]
    outcomes = [outcome for [outcome] in await asyncio.gather(*works)]
    assert all(isinstance(outcome, Committed) for outcome in outcomes)
    found = await session_of(store)
    assert (found.title, found.message_count, found.last_sequence) == ("new", 3, 4)
    assert found.revision == 7


async def test_a_known_session_is_out_of_another_owners_scope(store: SqlBackend) -> None:
    await create(store)
    await commit(store, SPEAK)
    [refused] = await store.commit([Commit(SESSION, (SPEAK,), AT)], Scope(UserId("bob")))
    [done] = await store.commit([Commit(SESSION, (SPEAK,), AT)], Scope(UserId("ana")))
    assert isinstance(refused, NotFound)
    assert isinstance(done, Committed)
    assert list(done.sequences) == [2]


async def test_what_came_to_nothing_is_not_gone_on_from(store: SqlBackend, path: Path) -> None:
    await create(store)
    await commit(store, SPEAK)
    breaking = sqlite3.connect(path)
    breaking.execute(
        "CREATE TRIGGER refuse AFTER UPDATE ON sessions WHEN new.message_count = 2 "
        "BEGIN SELECT raise(ABORT, 'not now'); END"
    )
    breaking.commit()
    with pytest.raises(Exception, match="nothing was changed"):
        await commit(store, SPEAK)
    breaking.execute("DROP TRIGGER refuse")
    breaking.commit()
    breaking.close()
    committed = await commit(store, SPEAK)
    assert list(committed.sequences) == [2]


async def test_large_metadata_is_not_kept(store: SqlBackend) -> None:
    await create(store)
    statements = Statements(store)
    for _ in range(3):
        await commit(store, SetMetadata({"text": "x" * 3_000}))
    assert reads_of_sessions(statements) == 3
    for _ in range(3):
        await commit(store, SetMetadata({"text": "x"}))
    assert reads_of_sessions(statements) == 4


async def test_what_was_noted_counts_when_it_is_settled(store: SqlBackend) -> None:
    await create(store)
    session, known = await session_of(store), KnownSessions()
    known.note(Known(session, 0))
    assert known.get(SESSION) is not None
    known.clear()
    assert known.get(SESSION) is None
    known.note(Known(session, 0))
    known.settle()
    known.forget(SESSION)
    assert known.get(SESSION) is None
    known.settle()
    assert known.get(SESSION) is None


async def test_those_used_longest_ago_give_way(
    store: SqlBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.backends.sql.known_sessions._MOST", 2)
    ids = [SessionId(f"{number:032x}") for number in range(3)]
    for one in ids:
        await create(store, session=one)
    statements = Statements(store)
    for one in (*ids, ids[2], ids[1], ids[0]):
        await commit(store, SPEAK, session=one)
    assert reads_of_sessions(statements) == 4
