"""SQLite hands a page over as one JSON text; what is in it is what rows would have said."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from app.backends.protocol import EVERYTHING, Scope
from app.backends.sql.backend import SqlBackend
from app.backends.sql.dialects.sqlite import SqliteDialect
from app.backends.sql.dialects.sqlite_engines import connect_reader
from app.backends.sql.dialects.sqlite_reads import SqliteReads
from app.backends.sql.read import SqlReader
from app.model.changes import AddMessages, CreateSession
from app.model.identifiers import AgentId, Epoch, MessageId, ProfileId, Sequence, SessionId, UserId
from app.model.message import Message, MessageRole, MessageScope, MessageStatus, NewMessage, Sender
from app.model.paging import MessagePageRequest, Page, SessionPageRequest, Take, Window
from app.model.parts import OtherPart, Part, TextPart, ToolCallPart, ToolResultPart
from app.model.records import Record
from app.model.session import Session, User
from app.model.timestamps import Timestamp
from tests.backends.conftest import SESSION, commit, create, said
from tests.backends.statements import Statements

AWKWARD = "\"\\ \n\t\x01\x00 \u2028 \U0001f642 é ' %s :name ?"
KNOWN: tuple[Part, ...] = (
    TextPart(AWKWARD),
    ToolCallPart("c1", "look", '{"a": '),
    ToolResultPart("c1", AWKWARD, is_error=True),
)
MESSAGES = (
    NewMessage(MessageRole.USER, KNOWN, preview=AWKWARD, model=AWKWARD),
    NewMessage(
        MessageRole.ASSISTANT,
        (TextPart(""),),
        status=MessageStatus.FAILED,
        sender=Sender(None, None, AgentId('a"gent')),
        usage={"tokens": 2**63 - 1, "cost": 0.1, "none": None, AWKWARD: [AWKWARD, {}]},
        metadata={"depth": {"er": [1, [2.5e-300]]}},
        created_at=Timestamp("2026-03-01T09:30:00.000001Z"),
    ),
    NewMessage(MessageRole.TOOL, (), sender=Sender(AWKWARD), usage={}),
)


class RowsDialect(SqliteDialect):
    """SQLite read row by row."""

    packs = False

    def packed_message_pages(self, *_: Any) -> None:
        return None

    def packed_end_pages(self, *_: Any) -> None:
        return None


@asynccontextmanager
async def reading(
    path: Path, dialect: SqliteDialect, *, most_bytes: int | None = None
) -> AsyncIterator[SqlReader]:
    """Opens a reader of a store; no value that it reads may have more than `most_bytes`."""

    def connect() -> sqlite3.Connection:
        connection = connect_reader(path)
        if most_bytes is not None:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, most_bytes)
        return connection

    engine = create_engine("sqlite://")
    reads = SqliteReads(engine, connect)
    yield SqlReader(dialect, reads)
    await reads.close()
    engine.dispose()


async def pages_of(reader: SqlReader) -> list[Page[Message]]:
    asked = [
        MessagePageRequest(session, Window(limit, take, after, before), scope, fields)
        for session in (SESSION, SessionId("6" * 32), SessionId("7" * 32))
        for take in Take
        for limit in (1, 2, 50)
        for after, before in ((None, None), (Sequence(1), None), (None, Sequence(3)))
        for scope in MessageScope
        for fields in (None, frozenset({"role"}), frozenset({"sender", "usage", "parts"}))
    ]
    found = await reader.page_messages(asked, EVERYTHING)
    pages = [found.get(request) for request in asked]
    assert {type(page) for page in pages} == {Page, type(None)}
    return [page for page in pages if isinstance(page, Page)]


async def test_messages_are_what_rows_say(store: SqlBackend, path: Path) -> None:
    await create(store, "one")
    await commit(store, AddMessages(MESSAGES))
    await create(store, session=SessionId("6" * 32))
    async with reading(path, SqliteDialect()) as packed, reading(path, RowsDialect()) as rows:
        assert await pages_of(packed) == await pages_of(rows)


async def test_parts_of_other_versions_come_whole_with_the_same_statement(
    store: SqlBackend,
) -> None:
    other = OtherPart("hologram", {"depth": 3, "text": AWKWARD})
    await create(store, "one")
    await commit(store, AddMessages((NewMessage(MessageRole.USER, (other, *KNOWN)),)))
    statements = Statements(store)
    request = MessagePageRequest(SESSION, Window(50))
    found = await store.page_messages([request], EVERYTHING)
    page = found[request]
    assert isinstance(page, Page)
    assert [message.parts for message in page.items] == [(TextPart("one"),), (other, *KNOWN)]
    assert len(statements.seen) == 1


@pytest.mark.parametrize(
    ("column", "damage"),
    [
        ("created_at", '"],["'),
        ("created_at", '4"],["'),
        ("created_at", '4"],null,null,[[],[]],["'),
        ("usage", 'null],[{"evil":1},{},{}'),
        ("metadata", "{},{}"),
        ("metadata", '{}],["1","2"],["3","4"],[[]'),
        ("parts", "[],[]"),
        ("parts", ""),
    ],
)
@pytest.mark.parametrize("texts", [("one",), ("one", "two")])
async def test_a_damaged_message_changes_no_other(
    store: SqlBackend, path: Path, column: str, damage: str, texts: tuple[str, ...]
) -> None:
    other = SessionId("6" * 32)
    await create(store, *texts)
    await create(store, "three", "four", session=other)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            f"UPDATE messages SET {column} = ? WHERE session_id = ? AND sequence = ?",
            (damage, SESSION, len(texts)),
        )
        connection.commit()
    asked = [
        MessagePageRequest(session, Window(50), fields=frozenset({column, "parts", "created_at"}))
        for session in (SESSION, other)
    ]

    async def answers(reader: SqlReader) -> list[Any]:
        """Returns each page's messages but the damaged one, or that it can't be read."""
        found: list[Any] = []
        for together in (asked, asked[:1], asked[1:]):
            try:
                pages = await reader.page_messages(together, EVERYTHING)
            except ValueError:  # what is stored can't be read
                found.append(ValueError)
            else:
                read = [pages[request] for request in together]
                assert all(isinstance(page, Page) for page in read)
                found.append([page.items for page in read if isinstance(page, Page)])
        return found

    async with reading(path, SqliteDialect()) as packed, reading(path, RowsDialect()) as rows:
        assert await answers(packed) == await answers(rows)


async def test_a_page_too_large_for_one_value_comes_row_by_row(
    store: SqlBackend, path: Path
) -> None:
    texts = ["a" * 15_000, "b" * 15_000]
    await create(store, *texts)
    request = MessagePageRequest(SESSION, Window(50))
    async with reading(path, SqliteDialect(), most_bytes=20_000) as reader:
        found = await reader.page_messages([request], EVERYTHING)
    page = found[request]
    assert isinstance(page, Page)
    assert [message.text for message in page.items] == texts


async def test_sessions_are_what_rows_say(store: SqlBackend, path: Path) -> None:
    await create(store, "one")
    epoch = Epoch("00c0ffee")
    for number, creation in enumerate(
        (
            CreateSession(key=AWKWARD, epoch=epoch, owner_id=None, title=AWKWARD),
            CreateSession(
                key="fork",
                epoch=epoch,
                owner_id=UserId(AWKWARD),
                agent_id=AgentId("a"),
                profile_id=ProfileId("p"),
                channel="web",
                forked_from=MessageId(SESSION, Sequence(1)),
                metadata={"a": [0.1, AWKWARD, None]},
            ),
        )
    ):
        await commit(store, creation, AddMessages((said("x"),)), session=SessionId(f"{number:032}"))

    async def ask(reader: SqlReader) -> list[Page[Session]]:
        pages = []
        for take in Take:
            for limit in (1, 2, 50):
                for fields in (None, frozenset({"title", "owner_id"})):
                    request = SessionPageRequest(Window(limit, take), fields=fields)
                    page = (await reader.page_sessions([request], EVERYTHING))[request]
                    assert isinstance(page, Page)
                    pages.append(page)
        return pages

    async with reading(path, SqliteDialect()) as packed, reading(path, RowsDialect()) as rows:
        assert await ask(packed) == await ask(rows)


async def test_people_are_what_rows_say(store: SqlBackend, path: Path) -> None:
    known = [User(UserId("ana"), AWKWARD), User(UserId(AWKWARD)), User(UserId("b"))]

    async def records() -> AsyncIterator[Record]:
        for user in known:
            yield user

    await store.load(records())
    ids = [UserId("ana"), UserId(AWKWARD), UserId("nobody")]
    for scope in (EVERYTHING, Scope(UserId("ana"))):
        async with reading(path, SqliteDialect()) as packed, reading(path, RowsDialect()) as rows:
            found = await packed.get_users(ids, scope)
            assert found == await rows.get_users(ids, scope)
            assert found[UserId("ana")] == User(UserId("ana"), AWKWARD)


async def test_sessions_too_large_for_one_value_come_row_by_row(
    store: SqlBackend, path: Path
) -> None:
    ids = [SessionId(f"{number:032x}") for number in range(3)]
    for one in ids:
        metadata = {"text": "x" * 15_000}
        creation = CreateSession(
            key=one, epoch=Epoch("00c0ffee"), owner_id=UserId("ana"), metadata=metadata
        )
        await commit(store, creation, session=one)
    async with reading(path, SqliteDialect(), most_bytes=20_000) as reader:
        assert set(await reader.get_sessions(ids, EVERYTHING)) == set(ids)
        request = SessionPageRequest(Window(10))
        page = (await reader.page_sessions([request], EVERYTHING))[request]
        assert isinstance(page, Page)
        assert len(page.items) == 3
