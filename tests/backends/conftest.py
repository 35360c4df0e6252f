"""A fresh SQLite store for each test, and what most of them write into it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from app.backends.open import open_backend
from app.backends.protocol import EVERYTHING
from app.backends.sql.backend import SqlBackend
from app.backends.sql.open import open_sqlite
from app.model.changes import AddMessages, Change, Commit, Committed, CreateSession
from app.model.identifiers import Epoch, SessionId, UserId
from app.model.message import MessageRole, NewMessage
from app.model.parts import TextPart
from app.model.timestamps import Timestamp

AT = Timestamp("2026-03-01T09:30:00.000000Z")
SESSION = SessionId("5" * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "store.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqlBackend]:
    """A fresh store."""
    backend, _ = await open_sqlite(path, migrate=True)
    yield backend
    await backend.close()


async def opened(url: URL) -> SqlBackend:
    """Opens the store of a database server."""
    backend = await open_backend(url.render_as_string(hide_password=False))
    assert isinstance(backend, SqlBackend)
    return backend


def said(text: str) -> NewMessage:
    """Returns a user's message."""
    return NewMessage(MessageRole.USER, (TextPart(text),), preview=text)


async def commit(backend: SqlBackend, *changes: Change, session: SessionId = SESSION) -> Committed:
    """Commits changes that must succeed."""
    [outcome] = await backend.commit([Commit(session, changes, AT)], EVERYTHING)
    assert isinstance(outcome, Committed)
    return outcome


async def create(backend: SqlBackend, *texts: str, session: SessionId = SESSION) -> Committed:
    """Creates a session that holds messages of these texts."""
    creation = CreateSession(key=session, epoch=Epoch("00c0ffee"), owner_id=UserId("ana"))
    return await commit(backend, creation, AddMessages(tuple(map(said, texts))), session=session)
