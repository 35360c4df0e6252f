"""On database servers the appends of many sessions share transactions, and none suffers for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from app.backends.open import open_backend
from app.backends.protocol import EVERYTHING, Scope, Severity
from app.backends.sql.backend import SqlBackend
from app.backends.sql.tables import sessions
from app.model.changes import AddMessages, Commit, Committed, Idempotency
from app.model.errors import Conflict, NotFound
from app.model.identifiers import Revision, SessionId, UserId
from tests.backends.conftest import AT, create, said
from tests.databases import DatabaseServer

IDS = [SessionId(f"{number:032x}") for number in range(1, 21)]


@pytest.fixture
async def store(server: DatabaseServer) -> AsyncIterator[SqlBackend]:
    """A store with twenty empty sessions."""
    url = make_url(await server.fresh("sharing"))
    backend = await open_backend(url.render_as_string(hide_password=False))
    assert isinstance(backend, SqlBackend)
    for session_id in IDS:
        await create(backend, session=session_id)
    yield backend
    await backend.close()


def adding(session_id: SessionId, key: str | None = None, text: str = "hello") -> Commit:
    attempt = Idempotency(key, "digest") if key is not None else None
    return Commit(session_id, (AddMessages((said(text),)),), AT, attempt)


async def counts(store: SqlBackend) -> list[int | None]:
    found = await store.get_sessions(IDS, EVERYTHING)
    return [getattr(found[one], "message_count", None) for one in IDS]


async def test_appends_that_come_together_take_the_statements_of_a_few(store: SqlBackend) -> None:
    executed: list[str] = []

    @event.listens_for(store.engines[1], "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        executed.append(statement)

    works = [store.commit([adding(one, "key")], EVERYTHING) for one in IDS for _ in range(3)]
    outcomes = [outcome for [outcome] in await asyncio.gather(*works)]
    committed = [outcome for outcome in outcomes if isinstance(outcome, Committed)]
    assert len(committed) == 60
    assert sum(not outcome.replayed for outcome in committed) == 20
    assert await counts(store) == [1] * 20
    assert len(executed) <= 30, executed


async def test_whoever_waits_for_a_held_session_waits_alone(store: SqlBackend) -> None:
    held, *others = IDS
    async with AsyncEngine(store.engines[1]).begin() as holder:
        await holder.execute(sessions.select().where(sessions.c.id == held).with_for_update())
        waiting = [asyncio.create_task(store.commit([adding(held)], EVERYTHING)) for _ in "ab"]
        for _ in range(3):
            await asyncio.gather(*(store.commit([adding(one)], EVERYTHING) for one in others))
        assert await counts(store) == [0] + [3] * 19
        assert not any(task.done() for task in waiting)
    outcomes = [outcome for [outcome] in await asyncio.gather(*waiting)]
    numbers = [outcome.sequences[0] for outcome in outcomes if isinstance(outcome, Committed)]
    assert numbers == [1, 2]


async def test_each_of_those_that_come_together_has_its_own_outcome(store: SqlBackend) -> None:
    stale = replace(adding(IDS[1]), expected=Revision(99))
    works = [
        store.commit([adding(IDS[0])], EVERYTHING),
        store.commit([stale], EVERYTHING),
        store.commit([adding(SessionId("f" * 32))], EVERYTHING),
        store.commit([adding(IDS[2])], Scope(UserId("somebody else"))),
        store.commit([adding(IDS[3])], EVERYTHING),
    ]
    outcomes = [outcome for [outcome] in await asyncio.gather(*works)]
    assert [type(one) for one in outcomes] == [Committed, Conflict, NotFound, NotFound, Committed]
    assert (await counts(store))[:4] == [1, 0, 0, 1]
    assert [one async for one in store.check() if one.severity is Severity.ERROR] == []


async def test_closing_finishes_what_was_asked_for(store: SqlBackend) -> None:
    works = [asyncio.create_task(store.commit([adding(one)], EVERYTHING)) for one in IDS]
    await asyncio.sleep(0)
    await store.close()
    outcomes = [outcome for [outcome] in await asyncio.gather(*works)]
    assert all(isinstance(outcome, Committed) for outcome in outcomes)
