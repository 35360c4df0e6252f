"""Reads that begin together are one statement, and each gets its own answer or its own error."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backends.protocol import EVERYTHING, Scope
from app.backends.sql.backend import SqlBackend
from app.backends.sql.merging import MOST_ROWS, MergedReads
from app.model.changes import AddMessages
from app.model.errors import StoreUnavailable
from app.model.identifiers import SessionId, UserId
from app.model.message import Message, MessageScope
from app.model.paging import MessagePageRequest, Page, SessionPageRequest, Take, Window
from tests.backends.conftest import SESSION, commit, create, said
from tests.backends.statements import Statements

OTHER = SessionId("6" * 32)


class Store:
    """Answers each even number with its double, and notes what it was asked."""

    def __init__(self, broken: frozenset[int] = frozenset()) -> None:
        self.broken = broken
        self.asked: list[list[int]] = []
        self.gate: asyncio.Event | None = None
        self.begun = asyncio.Semaphore(0)

    async def read(self, keys: Sequence[int]) -> dict[int, int]:
        self.asked.append(list(keys))
        self.begun.release()
        if self.gate is not None:
            await self.gate.wait()
        for key in keys:
            if key in self.broken:
                raise ValueError(key)
        return {key: 2 * key for key in keys if key % 2 == 0}


async def outcome(store: Store, keys: list[int]) -> object:
    """Returns what reading alone comes to."""
    try:
        return await store.read(keys)
    except ValueError as error:
        return repr(error)


@given(
    asked=st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=5, unique=True), max_size=12),
    broken=st.frozensets(st.integers(0, 30), max_size=2),
    rows=st.sampled_from([1, 100, MOST_ROWS]),
)
def test_each_gets_what_it_would_get_alone(
    asked: list[list[int]], broken: frozenset[int], rows: int
) -> None:
    async def run() -> None:
        store, merged = Store(broken), MergedReads()
        found = await asyncio.gather(
            *[merged.load("numbers", keys, store.read, rows=rows) for keys in asked],
            return_exceptions=True,
        )
        assert all(len(keys) * rows <= max(MOST_ROWS, 5 * rows) for keys in store.asked)
        alone = [await outcome(Store(broken), keys) for keys in asked]
        assert [repr(one) if isinstance(one, Exception) else one for one in found] == alone

    asyncio.run(run())


async def test_what_is_asked_in_one_turn_is_read_once() -> None:
    store, merged = Store(), MergedReads()
    await asyncio.gather(*[merged.load("n", [n, n + 2], store.read) for n in (2, 4, 2)])
    assert store.asked == [[2, 4, 6]]


async def test_different_kinds_are_read_apart() -> None:
    store, merged = Store(), MergedReads()
    await asyncio.gather(merged.load("a", [2], store.read), merged.load("b", [4], store.read))
    assert store.asked == [[2], [4]]


async def test_a_read_that_has_begun_takes_nobody_along() -> None:
    store, merged = Store(), MergedReads()
    store.gate = asyncio.Event()
    first = asyncio.create_task(merged.load("n", [2], store.read))
    await store.begun.acquire()
    second = asyncio.create_task(merged.load("n", [2], store.read))
    await store.begun.acquire()
    store.gate.set()
    assert await first == await second == {2: 4}


@pytest.mark.parametrize("turns", [0, 1, 3])
async def test_who_gives_up_leaves_the_others_their_answer(turns: int) -> None:
    store, merged = Store(), MergedReads()
    store.gate = asyncio.Event()
    tasks = [asyncio.create_task(merged.load("n", [n], store.read)) for n in (2, 4, 6)]
    for _ in range(turns):
        await asyncio.sleep(0)
    tasks[0].cancel()
    tasks[2].cancel()
    await asyncio.sleep(0)
    store.gate.set()
    async with asyncio.timeout(5):
        found: list[Any] = await asyncio.gather(*tasks, return_exceptions=True)
    assert found[1] == {4: 8}
    assert isinstance(found[0], asyncio.CancelledError)
    assert await merged.load("n", [8], store.read) == {8: 16}


async def test_requests_of_a_store_share_their_statements(store: SqlBackend) -> None:
    await create(store, "one")
    await create(store, "two", session=OTHER)
    statements = Statements(store)
    pages = [MessagePageRequest(one, Window(50, Take.LAST)) for one in (SESSION, OTHER, SESSION)]
    found = await asyncio.gather(*[store.page_messages([page], EVERYTHING) for page in pages])
    texts = []
    for page, answer in zip(pages, found, strict=True):
        assert list(answer) == [page]
        of_page = answer[page]
        assert isinstance(of_page, Page)
        texts.append([message.text for message in of_page.items if isinstance(message, Message)])
    assert texts == [["one"], ["two"], ["one"]]
    assert len(statements.seen) == 1


@pytest.mark.parametrize("damage", ["metadata = '{'", "title = x'00'"])
async def test_a_damaged_session_fails_nobody_who_asks_for_another(
    store: SqlBackend, path: Path, damage: str
) -> None:
    await create(store, "one")
    await create(store, "two", session=OTHER)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE sessions SET {damage} WHERE id = ?", (SESSION,))
    asked = [store.get_sessions([one], EVERYTHING) for one in (SESSION, OTHER)]
    _, found = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(found, dict)
    assert list(found) == [OTHER]


async def test_large_messages_are_not_merged_into_one_huge_answer(store: SqlBackend) -> None:
    ids = [SessionId(f"{number:032x}") for number in range(8)]
    for one in ids:
        await create(store, "x" * 2_500_000, session=one)
    pages = [MessagePageRequest(one, Window(50)) for one in ids]
    await store.page_messages(pages[:1], EVERYTHING)
    statements = Statements(store)
    await asyncio.gather(*[store.page_messages([page], EVERYTHING) for page in pages])
    assert len(statements.seen) == len(pages)


async def test_callers_of_different_scope_share_nothing(store: SqlBackend) -> None:
    await create(store, "one")
    statements = Statements(store)
    scopes = (EVERYTHING, Scope(UserId("ana")), Scope(UserId("somebody else")))
    found = await asyncio.gather(*[store.get_sessions([SESSION], scope) for scope in scopes])
    assert [SESSION in one for one in found] == [True, True, False]
    page = MessagePageRequest(SESSION, Window(5), MessageScope.ALL)
    pages = await asyncio.gather(*[store.page_messages([page], scope) for scope in scopes])
    assert [page in one for one in pages] == [True, True, False]
    lists = [SessionPageRequest(Window(5))]
    of_all, _, of_nobody = await asyncio.gather(
        *[store.page_sessions(lists, scope) for scope in scopes]
    )
    assert of_all[lists[0]].items  # type: ignore[union-attr]
    assert not of_nobody[lists[0]].items  # type: ignore[union-attr]
    assert len(statements.seen) == 9


async def test_what_was_acknowledged_before_is_seen(store: SqlBackend) -> None:
    await create(store, "0")
    page = MessagePageRequest(SESSION, Window(100, Take.LAST))
    seen: list[tuple[int, int]] = []

    async def read(least: int) -> None:
        found = (await store.page_messages([page], EVERYTHING))[page]
        assert isinstance(found, Page)
        seen.append((least, len(found.items)))

    reads = []
    for number in range(1, 60):
        reads += [asyncio.create_task(read(number)) for _ in range(3)]
        await commit(store, AddMessages((said(str(number)),)))
        reads += [asyncio.create_task(read(number + 1)) for _ in range(3)]
    await asyncio.gather(*reads)
    assert all(count >= least for least, count in seen)


async def test_a_store_that_is_not_there_is_not_asked_by_everybody() -> None:
    asked: list[list[int]] = []

    async def read(keys: list[int]) -> dict[int, int]:
        asked.append(keys)
        raise StoreUnavailable("gone")

    merged = MergedReads()
    found = await asyncio.gather(
        *[merged.load("n", [n], read) for n in range(5)], return_exceptions=True
    )
    assert [type(one) for one in found] == [StoreUnavailable] * 5
    assert len(asked) == 1
