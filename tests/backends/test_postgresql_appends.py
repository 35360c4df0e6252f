"""Appends in PostgreSQL are one statement, and as safe as those that lock and look first."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import asyncpg
import pytest
from sqlalchemy import URL, make_url, select
from sqlalchemy.ext.asyncio import AsyncEngine

from app.backends.protocol import EVERYTHING, Scope, Severity
from app.backends.sql.backend import SqlBackend
from app.backends.sql.tables import agents, users
from app.model.changes import AddMessages, Commit, Committed, DeleteMessage, Idempotency
from app.model.errors import Conflict, NotFound, ScrollbackError, UnknownOutcome
from app.model.identifiers import AgentId, Revision, Sequence, SessionId, UserId
from app.model.message import MessageRole, NewMessage, Sender
from app.model.parts import TextPart
from app.model.session import Session
from tests.backends.conftest import AT, commit, create, opened, said
from tests.backends.cutting_proxy import Cut, CuttingProxy
from tests.backends.statements import Statements
from tests.databases import DatabaseServer

IDS = [SessionId(f"{number:032x}") for number in range(1, 6)]
ONE = IDS[0]
SPEAK = AddMessages((said("hello"),))


@pytest.fixture
async def url(postgresql: DatabaseServer) -> URL:
    """The URL of an empty database."""
    return make_url(await postgresql.fresh("appends"))


@pytest.fixture
async def store(url: URL) -> AsyncIterator[SqlBackend]:
    """A store with sessions of one owner, each with a message that this process has added."""
    backend = await opened(url)
    for session_id in IDS:
        await create(backend, session=session_id)
        await commit(backend, SPEAK, session=session_id)
    yield backend
    assert [one async for one in backend.check() if one.severity is Severity.ERROR] == []
    await backend.close()


def adding(session_id: SessionId = ONE, key: str | None = None) -> Commit:
    attempt = Idempotency(key, "digest") if key is not None else None
    return Commit(session_id, (SPEAK,), AT, attempt)


async def together(
    store: SqlBackend, *commits: Commit, scope: Scope = EVERYTHING
) -> list[Committed | ScrollbackError]:
    works = [store.commit([one], scope) for one in commits]
    return [outcome for [outcome] in await asyncio.gather(*works)]


def numbers(outcomes: list[Committed | ScrollbackError]) -> list[list[int]]:
    return [list(one.sequences) for one in outcomes if isinstance(one, Committed)]


async def session_of(store: SqlBackend, session_id: SessionId = ONE) -> Session:
    found = (await store.get_sessions([session_id], EVERYTHING))[session_id]
    assert isinstance(found, Session)
    return found


async def test_appends_to_many_known_sessions_are_one_statement(store: SqlBackend) -> None:
    statements = Statements(store)
    outcomes = await together(store, *[adding(one) for one in IDS for _ in range(3)])
    assert numbers(outcomes) == [[2], [3], [4]] * 5
    assert len(statements.seen) == 1
    session = await session_of(store)
    assert (session.message_count, session.last_sequence, session.revision) == (4, 4, 5)
    assert outcomes[2] == Committed(session.position, range(4, 5), 0, session)


async def test_what_another_process_wrote_in_between_is_gone_on_from(
    store: SqlBackend, url: URL
) -> None:
    other = await opened(url)
    for number in range(2, 8):
        committed = await commit((store, other)[number % 2], SPEAK, session=ONE)
        assert list(committed.sequences) == [number]
    await other.close()


async def test_two_processes_that_append_at_once_lose_and_double_nothing(
    store: SqlBackend, url: URL
) -> None:
    other = await opened(url)

    async def write(handle: SqlBackend) -> list[int]:
        told = []
        for _ in range(30):
            outcomes = await together(handle, *[adding(one) for one in IDS])
            told += [sequence for (sequence,) in numbers(outcomes)]
        return told

    both = await asyncio.gather(write(store), write(other))
    told = [sequence for mine in both for sequence in mine]
    assert sorted(told) == sorted(list(range(2, 62)) * 5)
    await other.close()


async def test_a_row_that_was_mended_in_between_is_gone_on_from(
    store: SqlBackend, postgresql: DatabaseServer, url: URL
) -> None:
    await postgresql.execute_in(url, "UPDATE sessions SET message_count = 40")
    [outcome] = await together(store, adding())
    assert numbers([outcome]) == [[2]]
    assert (await session_of(store)).message_count == 41
    await postgresql.execute_in(url, "UPDATE sessions SET message_count = 2 WHERE revision = 3")
    await postgresql.execute_in(url, "UPDATE sessions SET message_count = 1 WHERE revision = 2")


async def test_other_changes_of_this_process_are_gone_on_from(store: SqlBackend) -> None:
    for number in range(2, 6):
        assert numbers(await together(store, adding())) == [[number]]
        await commit(store, DeleteMessage(Sequence(number)), session=ONE)
    assert (await session_of(store)).message_count == 1


async def test_a_used_key_is_answered_again_and_its_siblings_are_written(
    store: SqlBackend, url: URL
) -> None:
    assert numbers(await together(store, adding(key="a"), adding(key="a"))) == [[2], [2]]
    other = await opened(url)
    assert numbers(await together(other, adding(key="b"))) == [[3]]
    await other.close()
    outcomes = await together(store, *[adding(key=key) for key in "abc"], adding(IDS[1], "a"))
    assert numbers(outcomes) == [[2], [3], [4], [2]]
    assert [one.replayed for one in outcomes if isinstance(one, Committed)] == [
        True,
        True,
        False,
        False,
    ]
    [conflict] = await together(store, replace(adding(), idempotency=Idempotency("a", "other")))
    assert isinstance(conflict, Conflict)


async def test_what_is_expected_is_compared_with_the_row(store: SqlBackend, url: URL) -> None:
    other = await opened(url)
    await together(other, adding())
    await other.close()
    stale, right = [replace(adding(), expected=Revision(number)) for number in (2, 3)]
    [conflict] = await together(store, stale)
    assert isinstance(conflict, Conflict)
    assert conflict.current is not None
    assert numbers(await together(store, right)) == [[3]]


async def test_a_known_session_is_out_of_another_owners_scope(store: SqlBackend) -> None:
    [refused] = await together(store, adding(), scope=Scope(UserId("bob")))
    assert isinstance(refused, NotFound)
    assert numbers(await together(store, adding(), scope=Scope(UserId("ana")))) == [[2]]


async def test_senders_become_known(store: SqlBackend) -> None:
    sender = Sender("Bea", UserId("bea"), AgentId("writer"))
    message = NewMessage(MessageRole.ASSISTANT, (TextPart("hi"),), sender=sender)
    works = [Commit(one, (AddMessages((message,)),), AT) for one in IDS]
    assert numbers(await together(store, *works, adding(key="k"))) == [[2]] * 5 + [[3]]
    async with AsyncEngine(store.engines[1]).connect() as connection:
        for table, known in ((users, "bea"), (agents, "writer")):
            assert known in (await connection.scalars(select(table.c.id))).all()


async def test_what_the_server_can_not_keep_spoils_nothing_else(store: SqlBackend) -> None:
    bad = NewMessage(MessageRole.USER, (TextPart("hi"),), model="\0")
    outcomes = await together(store, adding(), Commit(IDS[1], (AddMessages((bad,)),), AT))
    assert [getattr(one, "code", None) for one in outcomes] == [None, "INVALID_INPUT"]
    assert numbers(outcomes) == [[2]]


async def test_a_message_without_words_is_not_in_the_search_index(store: SqlBackend) -> None:
    empty = NewMessage(MessageRole.ASSISTANT, ())
    assert numbers(await together(store, Commit(ONE, (AddMessages((empty,)),), AT))) == [[2]]


async def test_a_text_without_tokens_is_indexed_as_the_check_expects_it(store: SqlBackend) -> None:
    bell = AddMessages((said("\x07"),))
    assert numbers(await together(store, Commit(ONE, (bell,), AT))) == [[2]]


def broken_connections_held() -> int:
    gc.collect()
    connections = [one for one in gc.get_objects() if isinstance(one, asyncpg.Connection)]
    return sum(connection.is_closed() for connection in connections)


async def test_connections_that_broke_are_let_go(
    store: SqlBackend, postgresql: DatabaseServer
) -> None:
    held = broken_connections_held()
    for number in range(5):
        await postgresql.disconnect_all()
        assert numbers(await together(store, adding(key=str(number)))) == [[number + 2]]
    # The last one of the appends, and of the pool that is asked what became of an append.
    assert broken_connections_held() - held <= 2


@dataclass(frozen=True, slots=True)
class Cutting:
    """Two stores on one database, the first of them behind a proxy."""

    store: SqlBackend
    other: SqlBackend
    proxy: CuttingProxy

    def next_append(self, cut: Cut) -> None:
        """Has the next append cut there, and nothing after it."""
        cuts = iter([cut])
        self.proxy.choose = lambda: next(cuts, None)


@pytest.fixture
async def cutting(postgresql: DatabaseServer, url: URL) -> AsyncIterator[Cutting]:
    """A store whose next append is cut, and another on the same database that nothing cuts."""
    proxy = CuttingProxy(*postgresql.address)
    direct = await opened(url)
    async with proxy.listening(postgresql.without_encryption(url)) as through:
        cut = await opened(through)
        for session_id in IDS:
            await create(direct, session=session_id)
            await commit(cut, SPEAK, session=session_id)
        yield Cutting(cut, direct, proxy)
        await cut.close()
    assert [one async for one in direct.check() if one.severity is Severity.ERROR] == []
    await direct.close()


@pytest.mark.parametrize("cut", list(Cut))
async def test_of_a_cut_append_each_session_is_looked_at_for_itself(
    cutting: Cutting, cut: Cut
) -> None:
    await commit(cutting.other, SPEAK, session=IDS[1])
    cutting.next_append(cut)
    outcomes = await together(cutting.store, adding(ONE, "a"), adding(IDS[1], "a"))
    assert numbers(outcomes) == [[2], [3]]
    assert cutting.proxy.cuts == [cut]
    found = [(await session_of(cutting.other, one)).message_count for one in IDS[:2]]
    assert found == [2, 3]


@pytest.mark.parametrize("cut", list(Cut))
async def test_a_key_used_before_does_not_tell_for_a_cut_append(cutting: Cutting, cut: Cut) -> None:
    await together(cutting.other, adding(ONE, "a"))
    await together(cutting.store, adding(ONE, "b"))
    cutting.next_append(cut)
    outcomes = await together(
        cutting.store, adding(ONE, "a"), adding(ONE, "c"), adding(IDS[1], "c")
    )
    assert numbers(outcomes) == [[2], [4], [2]]
    found = [(await session_of(cutting.other, one)).message_count for one in IDS[:2]]
    assert found == [4, 2]


@pytest.mark.parametrize("cut", list(Cut))
async def test_a_cut_append_without_a_key_is_not_done_again_for_the_sake_of_others(
    cutting: Cutting, cut: Cut
) -> None:
    await commit(cutting.other, SPEAK, session=IDS[1])
    cutting.next_append(cut)
    keyed, plain = await asyncio.gather(
        cutting.store.commit([adding(IDS[1], "a")], EVERYTHING),
        cutting.store.commit([adding(ONE)], EVERYTHING),
        return_exceptions=True,
    )
    assert isinstance(keyed, list)
    assert numbers(keyed) == [[3]]
    assert isinstance(plain, UnknownOutcome)
    # Cut as it is sent, the statement may come to nothing or be carried out all the same.
    written = {Cut.BEFORE: {1}, Cut.AT_ONCE: {1, 2}, Cut.AFTER: {2}}[cut]
    assert (await session_of(cutting.other)).message_count in written


@pytest.mark.parametrize("cut", list(Cut))
async def test_a_key_tells_for_all_of_its_session_in_a_cut_append(
    cutting: Cutting, cut: Cut
) -> None:
    cutting.next_append(cut)
    outcomes = await together(cutting.store, adding(), adding(key="a"), adding())
    assert numbers(outcomes) == [[2], [3], [4]]
    assert (await session_of(cutting.other)).message_count == 4
