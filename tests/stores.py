"""The kinds of stores that what works on any store is tried on, and what they are filled with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from app.backends.conformance import OpenNamed
from app.backends.conformance.samples import (
    BOB,
    FIRST,
    SECOND,
    THIRD,
    attempt,
    changed,
    created,
    done,
    number_id,
    numbered,
    said,
    stream,
)
from app.backends.open import open_backend
from app.backends.protocol import Backend
from app.model.changes import (
    AddMessages,
    ArchiveMessages,
    CopyMessages,
    DeleteMessage,
    DeleteSession,
    EditMessage,
    RenameSession,
)
from app.model.identifiers import AgentId, ProfileId, Sequence, UserId
from app.model.message import Sender
from app.model.parts import TextPart
from app.model.records import Damage
from app.model.session import Agent, Profile, User
from tests.databases import DatabaseServer


def _by_url(pattern: str) -> Callable[[pytest.FixtureRequest], OpenNamed]:
    """Returns what opens stores below the test's folder, by a URL in which `{}` is the path."""

    def opener(request: pytest.FixtureRequest) -> OpenNamed:
        folder: Path = request.getfixturevalue("tmp_path")
        return lambda name: open_backend(pattern.format(folder / name))

    return opener


def _by_server(fixture: str) -> Callable[[pytest.FixtureRequest], OpenNamed]:
    """Returns what opens stores on the server of a fixture; without one its tests are skipped."""

    def opener(request: pytest.FixtureRequest) -> OpenNamed:
        server: DatabaseServer = request.getfixturevalue(fixture)
        return server.open_stores()

    return opener


STORES: Mapping[str, Callable[[pytest.FixtureRequest], OpenNamed]] = {
    "sqlite": _by_url("sqlite:///{}.db"),
    "postgresql": _by_server("postgresql"),
    "files": _by_url("file:///{}"),
    "mariadb": _by_server("mariadb"),
    "memory": lambda request: _open_in_memory(request.getfixturevalue("tmp_path")),
}
"""By kind, what opens the stores of a test by their names. A new kind is a new line."""


def _open_in_memory(folder: Path) -> OpenNamed:
    return lambda name: open_backend(f"memory://{quote(f'{folder}-{name}', safe='')}")


async def fill(backend: Backend) -> None:
    """Puts something of everything that can be moved into an empty store; six sessions live."""
    await backend.load(
        stream(
            [
                User(UserId("alice"), "Alice"),
                Agent(AgentId("navigator"), "会话"),
                Profile(ProfileId("default"), None),
                Damage("a.jsonl", 3, "not JSON", b'{"half": \xff\x00'),
            ]
        )
    )
    await done(backend, created(FIRST, title="Draft", idempotency=attempt("create")))
    await done(backend, changed(AddMessages(numbered(9)), at=1, idempotency=attempt("add")))
    edit = EditMessage(Sequence(4), parts=(TextPart("edited"),), preview="edited")
    await done(backend, changed(edit, DeleteMessage(Sequence(5)), at=2))
    await done(backend, changed(ArchiveMessages(Sequence(3)), RenameSession("Final"), at=3))
    sender = Sender("Ada", UserId("ada"), AgentId("navigator"))
    await done(backend, created(SECOND, owner_id=BOB, messages=[said("hi", sender=sender)], at=4))
    await done(backend, created(THIRD, owner_id=None, profile_id=ProfileId("default"), at=5))
    fork = created(number_id(50), at=6)
    await done(backend, replace(fork, changes=(*fork.changes, CopyMessages(FIRST))))
    for number in (60, 61):
        await done(backend, created(number_id(number), messages=numbered(700), at=7))
    gone = created(number_id(99), messages=numbered(2), idempotency=attempt("create"), at=8)
    await done(backend, gone)
    deletion = changed(DeleteSession(), session_id=number_id(99), idempotency=attempt("delete"))
    await done(backend, replace(deletion, at=gone.at))
