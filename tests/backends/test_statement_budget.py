"""What a page costs does not grow with what is on it: statements of SQL are counted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from app.backends.conformance.samples import (
    ALICES,
    changed,
    created,
    number_id,
    numbered,
)
from app.backends.protocol import EVERYTHING, Scope
from app.backends.sql.backend import SqlBackend
from app.backends.sql.open import open_sqlite
from app.model.changes import AddMessages, ArchiveMessages, Committed
from app.model.events import LogRead
from app.model.identifiers import AgentId, MessageId, ProfileId, Sequence, SessionKey, UserId
from app.model.message import MessageScope
from app.model.paging import MessagePageRequest, SessionPageRequest, Take, Window

SIZES = (1, 20, 100)
SCOPES = [EVERYTHING, ALICES]
NAMES = [f"name-{number}" for number in range(100)]

Call = Callable[[SqlBackend, int, Scope], Awaitable[Any]]

ONE_STATEMENT: dict[str, Call] = {
    "get_sessions": lambda store, n, scope: store.get_sessions(
        [number_id(at) for at in range(n)], scope
    ),
    "find_sessions": lambda store, n, scope: store.find_sessions(
        [SessionKey(UserId("alice"), f"key-{number_id(at)}") for at in range(n)], scope
    ),
    "page_sessions": lambda store, n, scope: store.page_sessions(
        [SessionPageRequest(Window(n))], scope
    ),
    "get_messages": lambda store, n, scope: store.get_messages(
        [MessageId(number_id(at), Sequence(2)) for at in range(n)], scope
    ),
    "page_messages": lambda store, n, scope: store.page_messages(
        [
            MessagePageRequest(number_id(at), Window(20, Take.LAST), tuple(MessageScope)[at % 3])
            for at in range(n)
        ],
        scope,
    ),
    "read_logs": lambda store, n, scope: store.read_logs(
        [LogRead(number_id(at), None, 20) for at in range(n)], scope
    ),
    "get_users": lambda store, n, scope: store.get_users(
        [UserId("alice"), *map(UserId, NAMES[1:n])], scope
    ),
    "get_agents": lambda store, n, _: store.get_agents([*map(AgentId, NAMES[:n])]),
    "get_profiles": lambda store, n, _: store.get_profiles([*map(ProfileId, NAMES[:n])]),
}


@pytest.fixture
async def full_store(tmp_path: Path) -> AsyncIterator[SqlBackend]:
    """A store of a hundred sessions with five messages each."""
    backend, _ = await open_sqlite(tmp_path / "store.db", migrate=True)
    commits = [
        created(
            number_id(at),
            messages=numbered(5),
            agent_id=AgentId(NAMES[at]),
            profile_id=ProfileId(NAMES[at]),
        )
        for at in range(100)
    ]
    archives = [
        changed(ArchiveMessages(Sequence(2)), session_id=number_id(at)) for at in range(100)
    ]
    outcomes = await backend.commit([*commits, *archives], EVERYTHING)
    assert all(isinstance(outcome, Committed) for outcome in outcomes)
    yield backend
    await backend.close()


@contextmanager
def statements(backend: SqlBackend) -> Iterator[list[str]]:
    """Gives the list of the statements that run inside, on whichever connection."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    for engine in backend.engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        for engine in backend.engines:
            event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("scope", SCOPES, ids=["everything", "owner"])
@pytest.mark.parametrize("name", ONE_STATEMENT)
async def test_a_read_of_any_size_is_one_statement(
    full_store: SqlBackend, name: str, scope: Scope
) -> None:
    for size in SIZES:
        with statements(full_store) as seen:
            answer = await ONE_STATEMENT[name](full_store, size, scope)
        assert len(seen) == 1, f"{name} of {size}"
        if name == "page_sessions":
            (page,) = answer.values()
            assert len(page.items) == size
        else:
            assert len(answer) == (1 if name == "get_users" else size)


async def test_pages_of_both_directions_are_a_statement_each(full_store: SqlBackend) -> None:
    requests = [
        MessagePageRequest(number_id(at), Window(3, take)) for at in range(100) for take in Take
    ]
    with statements(full_store) as seen:
        pages = await full_store.page_messages(requests, ALICES)
    assert (len(pages), len(seen)) == (200, 2)


async def test_adding_many_messages_costs_what_adding_one_does(full_store: SqlBackend) -> None:
    counts = []
    for size in SIZES:
        adding = changed(AddMessages(numbered(size)), session_id=number_id(size % 100))
        with statements(full_store) as seen:
            (outcome,) = await full_store.commit([adding], ALICES)
        assert isinstance(outcome, Committed)
        assert len(outcome.sequences) == size
        counts.append(len(seen))
    assert len(set(counts)) == 1, counts
