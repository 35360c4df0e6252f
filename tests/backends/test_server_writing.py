"""Many writers and broken connections on database servers: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import AsyncIterator, Iterator
from itertools import cycle

import pytest
from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from app.backends.protocol import EVERYTHING, Backend, Severity
from app.backends.sql.backend import SqlBackend
from app.backends.sql.tables import sessions
from app.model.changes import AddMessages, Change, Commit, Committed, CreateSession, Idempotency
from app.model.errors import StoreUnavailable, UnknownOutcome
from app.model.events import LogRead, LogSlice
from app.model.identifiers import Epoch, SessionId, UserId
from app.model.message import Message
from app.model.paging import MessagePageRequest, Page, Window
from tests.backends.conftest import AT, SESSION, commit, create, opened, said
from tests.backends.cutting_proxy import Cut, CuttingProxy
from tests.databases import DatabaseServer

TASKS = 24
APPENDS = 100


# asyncmy drops a connection that was cut without closing its socket, which the garbage collector
# then says.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed transport:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


@pytest.fixture(autouse=True)
def collect_cut_connections() -> Iterator[None]:
    """Lets the garbage collector speak while it is not heard."""
    yield
    gc.collect()


@pytest.fixture
async def url(server: DatabaseServer) -> URL:
    """The URL of an empty database."""
    return make_url(await server.fresh("writing"))


@pytest.fixture
async def store(url: URL) -> AsyncIterator[SqlBackend]:
    """A fresh store."""
    backend = await opened(url)
    yield backend
    await backend.close()


async def append(
    store: Backend, text: str, key: str | None = None, session: SessionId = SESSION
) -> Committed:
    """Appends one message, with an idempotency key where one is given."""
    attempt = Idempotency(key, "digest") if key is not None else None
    change = AddMessages((said(text),))
    [outcome] = await store.commit([Commit(session, (change,), AT, attempt)], EVERYTHING)
    assert isinstance(outcome, Committed), outcome
    return outcome


async def retried(store: Backend, text: str) -> Committed:
    """Appends one message as a client does that is told to try again with the same key."""
    for _ in range(10):
        try:
            return await append(store, text, key=text)
        except (StoreUnavailable, UnknownOutcome):
            continue
    raise AssertionError(f"{text} was refused ten times")


async def all_messages(store: Backend) -> tuple[Message, ...]:
    request = MessagePageRequest(SESSION, Window(10_000))
    page = (await store.page_messages([request], EVERYTHING))[request]
    assert isinstance(page, Page)
    return page.items


async def expect_each_once(store: Backend, told: dict[int, str]) -> None:
    """What was acknowledged is there, once, under its number, and nothing else; so is the log."""
    assert sorted(told) == list(range(1, len(told) + 1))
    assert {message.sequence: message.text for message in await all_messages(store)} == told
    read = LogRead(SESSION, None, 10_000)
    log = (await store.read_logs([read], EVERYTHING))[read]
    assert isinstance(log, LogSlice)
    assert [event.revision for event in log.events] == list(range(1, len(told) + 2))
    assert [one async for one in store.check() if one.severity is Severity.ERROR] == []


async def test_one_hot_session_gets_every_append_once_and_without_a_gap(store: SqlBackend) -> None:
    await create(store)
    told: dict[int, str] = {}

    async def write(task: int) -> None:
        for number in range(APPENDS):
            committed = await append(store, f"{task}:{number}")
            told[committed.sequences[0]] = f"{task}:{number}"

    await asyncio.gather(*(write(task) for task in range(TASKS)))
    assert len(told) == TASKS * APPENDS == 2_400
    await expect_each_once(store, told)


async def test_two_processes_that_take_locks_in_opposite_order_both_succeed(
    store: SqlBackend, url: URL
) -> None:
    ids = [SessionId(f"{number:032x}") for number in (1, 2)]
    for session_id in ids:
        await create(store, session=session_id)
    other = await opened(url)

    async def write(handle: Backend, order: list[SessionId]) -> None:
        for _ in range(20):
            commits = [Commit(one, (AddMessages((said("x"),)),), AT) for one in order]
            outcomes = await handle.commit(commits, EVERYTHING)
            assert all(isinstance(outcome, Committed) for outcome in outcomes), outcomes

    try:
        await asyncio.gather(write(store, ids), write(other, ids[::-1]))
    finally:
        await other.close()
    found = await store.get_sessions(ids, EVERYTHING)
    assert {getattr(found[one], "message_count", None) for one in ids} == {40}


async def test_an_append_cut_around_its_commit_happens_once(
    url: URL, server: DatabaseServer
) -> None:
    proxy = CuttingProxy(*server.address)
    told: dict[int, str] = {}
    chance = random.Random(7)
    cuts = cycle(Cut)

    async def write(store: Backend, task: int) -> None:
        for number in range(20):
            text = f"{task}:{number}"
            committed = await retried(store, text)
            assert told.setdefault(committed.sequences[0], text) == text

    async with proxy.listening(server.without_encryption(url)) as through:
        store = await opened(through)
        await create(store)
        proxy.choose = lambda: next(cuts) if chance.random() < 0.2 else None
        await asyncio.gather(*(write(store, task) for task in range(6)))
        proxy.choose = lambda: None
        await expect_each_once(store, told)
        await store.close()
    assert len(told) == 120
    assert set(proxy.cuts) == set(Cut)


@pytest.mark.parametrize("cut", list(Cut))
async def test_a_creation_cut_around_its_commit_happens_once(
    url: URL, server: DatabaseServer, cut: Cut
) -> None:
    proxy = CuttingProxy(*server.address)
    cuts = iter([cut])
    async with proxy.listening(server.without_encryption(url)) as through:
        store = await opened(through)
        proxy.choose = lambda: next(cuts, None)
        changes: tuple[Change, ...] = (
            CreateSession(key="k", epoch=Epoch("e"), owner_id=UserId("ana")),
            AddMessages((said("first"),)),
        )
        creation = Commit(SESSION, changes, AT, Idempotency("create", "digest"))
        [outcome] = await store.commit([creation], EVERYTHING)
        assert isinstance(outcome, Committed), outcome
        assert proxy.cuts == [cut]
        await expect_each_once(store, {1: "first"})
        await store.close()


@pytest.mark.parametrize("cut", list(Cut))
async def test_without_a_key_a_cut_commit_is_of_unknown_outcome(
    url: URL, server: DatabaseServer, cut: Cut
) -> None:
    proxy = CuttingProxy(*server.address)
    async with proxy.listening(server.without_encryption(url)) as through:
        store = await opened(through)
        await create(store)
        cuts = iter([cut])
        proxy.choose = lambda: next(cuts, None)
        with pytest.raises(UnknownOutcome, match="same idempotency key"):
            await append(store, "perhaps")
        await append(store, "certainly")
        texts = [message.text for message in await all_messages(store)]
        assert texts in (["perhaps", "certainly"], ["certainly"])
        assert ("perhaps" in texts) or cut is not Cut.AFTER
        await store.close()


async def test_connections_that_the_server_closed_are_replaced(
    store: SqlBackend, server: DatabaseServer
) -> None:
    await create(store, "one")
    await server.disconnect_all()
    assert [message.text for message in await all_messages(store)] == ["one"]
    await server.disconnect_all()
    await append(store, "two")
    assert [message.text for message in await all_messages(store)] == ["one", "two"]


async def test_a_session_that_another_holds_too_long_is_busy_and_unchanged(
    url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.backends.sql.pooled_writer.TRIES", 1)
    store = await opened(url.update_query_dict({"lock-timeout": "1"}))
    await create(store, "one")
    async with AsyncEngine(store.engines[1]).begin() as holder:
        await holder.execute(sessions.select().where(sessions.c.id == SESSION).with_for_update())
        with pytest.raises(StoreUnavailable, match="busy"):
            await commit(store, AddMessages((said("two"),)))
    assert [message.text for message in await all_messages(store)] == ["one"]
    await store.close()


async def test_what_is_too_long_is_refused_and_its_sibling_kept(store: SqlBackend) -> None:
    await create(store)
    creation = CreateSession(key="x" * 600, epoch=Epoch("e"), owner_id=UserId("ana"))
    commits = [
        Commit(SessionId("6" * 32), (creation,), AT),
        Commit(SESSION, (AddMessages((said("kept"),)),), AT),
    ]
    refused, kept = await store.commit(commits, EVERYTHING)
    assert getattr(refused, "code", None) == "INVALID_INPUT"
    assert isinstance(kept, Committed)
    [alone] = await store.commit(commits[:1], EVERYTHING)
    assert getattr(alone, "code", None) == "INVALID_INPUT"
