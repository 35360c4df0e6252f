"""Rows are added with the columns that any of them has a value for, and with no other."""

from __future__ import annotations

import re

from app.backends.protocol import EVERYTHING
from app.backends.sql.backend import SqlBackend
from app.model.changes import AddMessages, RenameSession
from app.model.events import EventKind, LogRead
from app.model.identifiers import MessageId, UserId
from app.model.identifiers import Sequence as Number
from app.model.message import Message, MessageRole, NewMessage, Sender
from app.model.parts import TextPart
from tests.backends.conftest import SESSION, commit, create
from tests.backends.statements import Statements

PLAIN = NewMessage(role=MessageRole.USER, parts=(TextPart("plain"),))
FULL = NewMessage(
    role=MessageRole.ASSISTANT,
    parts=(TextPart("full"),),
    preview="full",
    sender=Sender(user_id=UserId("alice")),
    model="model",
    usage={"tokens": 1},
    metadata={"a": 1},
)


def columns_named(statements: Statements, table: str) -> list[set[str]]:
    """Returns the columns of each statement that added rows to a table."""
    found = [
        re.match(rf"INSERT INTO {table} \((.*?)\)", statement) for statement, _ in statements.seen
    ]
    return [set(match[1].split(", ")) for match in found if match]


async def kept(store: SqlBackend, number: int) -> Message:
    message_id = MessageId(SESSION, Number(number))
    message = (await store.get_messages([message_id], EVERYTHING))[message_id]
    assert isinstance(message, Message)
    return message


async def test_a_column_that_is_null_in_all_rows_is_not_named(store: SqlBackend) -> None:
    await create(store)
    statements = Statements(store)

    await commit(store, AddMessages((PLAIN, PLAIN)))

    assert columns_named(statements, "messages") == [
        {"session_id", "sequence", "role", "status", "parts", "metadata", "created_at"}
    ]
    assert columns_named(statements, "events") == [
        {"session_id", "revision", "kind", "at", "sequence"}
    ]
    message = await kept(store, 2)
    assert (message.preview, message.sender, message.model, message.usage) == (None,) * 4
    assert (message.edited_at, message.archived_at) == (None, None)


async def test_a_column_that_one_row_has_is_null_in_the_others(store: SqlBackend) -> None:
    await create(store)

    committed = await commit(store, AddMessages((PLAIN, FULL, PLAIN)))

    assert list(committed.sequences) == [1, 2, 3]
    for number, given in enumerate((PLAIN, FULL, PLAIN), 1):
        message = await kept(store, number)
        for name in ("role", "parts", "preview", "sender", "model", "usage", "metadata"):
            assert getattr(message, name) == getattr(given, name), name


async def test_events_with_and_without_data_are_added_together(store: SqlBackend) -> None:
    await create(store)
    changes = (AddMessages((PLAIN,)), RenameSession("title"), AddMessages((PLAIN, FULL)))

    committed = await commit(store, *changes)

    assert list(committed.sequences) == [1, 2, 3]
    read = LogRead(SESSION, None, 10)
    log = (await store.read_logs([read], EVERYTHING))[read]
    assert not isinstance(log, Exception)
    added = EventKind.MESSAGE_ADDED
    assert [(event.kind, event.sequence, dict(event.data)) for event in log.events][1:] == [
        (added, 1, {}),
        (EventKind.SESSION_RENAMED, None, {"title": "title"}),
        (added, 2, {}),
        (added, 3, {}),
    ]
