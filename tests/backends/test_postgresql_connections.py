"""PostgreSQL is read over few connections: each is one's own for a statement, none gets lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.backends.open import open_backend
from app.backends.protocol import EVERYTHING
from app.backends.sql.backend import SqlBackend
from app.backends.sql.dialects import postgresql_connections
from app.backends.sql.dialects.dialect import Failure
from app.backends.sql.dialects.postgresql import PostgresqlDialect
from app.backends.sql.dialects.postgresql_connections import Connections
from app.backends.sql.prepared import Query
from app.model.errors import StoreUnavailable
from tests.backends.conftest import SESSION, create
from tests.databases import DatabaseServer

SIZE = 3


class Opened:
    """Connects, and counts."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.connections: list[asyncpg.Connection] = []
        self.failing = False

    async def connect(self) -> asyncpg.Connection:
        if self.failing:
            raise ConnectionRefusedError
        connection = await asyncpg.connect(self._url)
        self.connections.append(connection)
        return connection


@pytest.fixture
async def opened(postgresql: DatabaseServer) -> Opened:
    """What the connections of a test are opened with."""
    return Opened(await postgresql.fresh("connections"))


@pytest.fixture
async def connections(opened: Opened) -> AsyncIterator[Connections]:
    """Room for three."""
    connections = Connections(opened.connect, SIZE, wait_seconds=20)
    yield connections
    await connections.close()
    assert all(connection.is_closed() for connection in opened.connections)


async def ask(connections: Connections, number: int) -> int:
    connection = await connections.take()
    answer: int = await connection.fetchval("SELECT $1::int", number)
    connections.give(connection)
    return answer


async def test_many_share_few(opened: Opened, connections: Connections) -> None:
    answers = await asyncio.gather(*[ask(connections, number) for number in range(200)])
    assert answers == list(range(200))
    assert len(opened.connections) == SIZE


async def test_one_is_enough_for_who_asks_one_by_one(
    opened: Opened, connections: Connections
) -> None:
    for number in range(20):
        assert await ask(connections, number) == number
    assert len(opened.connections) == 1


async def test_who_waits_longest_is_next(connections: Connections) -> None:
    lent = [await connections.take() for _ in range(SIZE)]
    order: list[int] = []

    async def wait(number: int) -> None:
        connection = await connections.take()
        order.append(number)
        connections.give(connection)

    waiting = [asyncio.create_task(wait(number)) for number in range(10)]
    await asyncio.sleep(0)
    for connection in lent:
        connections.give(connection)
    await asyncio.gather(*waiting)
    assert order == list(range(10))


async def test_who_gives_up_waiting_takes_no_place(
    opened: Opened, connections: Connections
) -> None:
    lent = [await connections.take() for _ in range(SIZE)]
    before, at_once = (asyncio.create_task(ask(connections, number)) for number in (1, 2))
    await asyncio.sleep(0)
    before.cancel()
    connections.give(lent.pop())
    # Its turn has come, and it does not know yet.
    at_once.cancel()
    await asyncio.wait([before, at_once])
    for connection in lent:
        connections.give(connection)
    assert await asyncio.gather(*[ask(connections, number) for number in range(50)])
    assert len(opened.connections) == SIZE


async def test_what_was_given_up_is_not_lent_again(
    opened: Opened, connections: Connections
) -> None:
    connection = await connections.take()
    connections.discard(connection)
    other = await connections.take()
    assert other is not connection
    connections.give(other)
    assert len(opened.connections) == 2


async def test_a_failure_to_connect_is_the_askers_alone(
    opened: Opened, connections: Connections
) -> None:
    opened.failing = True
    for _ in range(SIZE + 1):
        with pytest.raises(ConnectionRefusedError):
            await connections.take()
    opened.failing = False
    assert await ask(connections, 1) == 1


async def test_who_waits_too_long_is_told_that_the_store_is_busy(opened: Opened) -> None:
    connections = Connections(opened.connect, 1, wait_seconds=0.05)
    connection = await connections.take()
    with pytest.raises(PoolTimeout) as raised:
        await connections.take()
    assert PostgresqlDialect().failure(raised.value) is Failure.BUSY
    connections.give(connection)
    assert await ask(connections, 1) == 1
    await connections.close()


async def test_closing_waits_for_what_is_lent_and_lends_no_more(
    opened: Opened, connections: Connections
) -> None:
    connection = await connections.take()
    closing = asyncio.create_task(connections.close())
    await asyncio.sleep(0)
    assert not closing.done()
    with pytest.raises(StoreUnavailable):
        await connections.take()
    assert await connection.fetchval("SELECT 1") == 1
    connections.give(connection)
    await closing
    assert connection.is_closed()


@pytest.fixture
async def store(postgresql: DatabaseServer) -> AsyncIterator[SqlBackend]:
    """A store with one session."""
    backend = await open_backend(await postgresql.fresh("reading"))
    assert isinstance(backend, SqlBackend)
    await create(backend, "one")
    yield backend
    await backend.close()


async def test_reads_that_are_given_up_leave_room_for_others(store: SqlBackend) -> None:
    for _ in range(5):
        given_up = [
            asyncio.create_task(store.get_sessions([SESSION], EVERYTHING)) for _ in range(30)
        ]
        await asyncio.sleep(0.001)
        for task in given_up:
            task.cancel()
        await asyncio.wait(given_up)
    async with asyncio.timeout(20):
        found = await asyncio.gather(
            *[store.get_sessions([SESSION], EVERYTHING) for _ in range(50)]
        )
    assert all(SESSION in one for one in found)


async def test_reads_go_on_after_the_server_closed_all_connections(
    store: SqlBackend, postgresql: DatabaseServer
) -> None:
    await asyncio.gather(*[store.get_sessions([SESSION], EVERYTHING) for _ in range(50)])
    await postgresql.disconnect_all()
    found = await asyncio.gather(*[store.get_sessions([SESSION], EVERYTHING) for _ in range(50)])
    assert all(SESSION in one for one in found)


async def test_a_connection_that_was_idle_for_long_is_not_lent(
    opened: Opened, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await ask(connections, 1) == 1
    monkeypatch.setattr(postgresql_connections, "monotonic", lambda: time.monotonic() + 1_000)
    assert await ask(connections, 2) == 2
    assert len(opened.connections) == 2


async def test_a_long_read_that_is_given_up_waits_for_no_answer(
    store: SqlBackend, postgresql: DatabaseServer
) -> None:
    endless: Query = (text("SELECT pg_sleep(60)"), {})
    for _ in range(20):
        task = asyncio.ensure_future(store._reads.fetch(endless, long=True))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(20):
        assert SESSION in await store.get_sessions([SESSION], EVERYTHING)
