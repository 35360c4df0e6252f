"""A store's content moves to another of any kind, again and again, and nothing is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from app.backends.conformance import OpenNamed
from app.backends.conformance.samples import (
    FIRST,
    SECOND,
    THIRD,
    attempt,
    changed,
    created,
    done,
    errors_found,
    log_of,
    number_id,
    numbered,
    records_of,
    said,
    session_of,
)
from app.backends.conformance.search_samples import asked, pages_of_hits
from app.backends.open import open_backend
from app.backends.protocol import Backend
from app.model.changes import AddMessages, DeleteSession, RenameSession
from app.model.errors import StoreUnavailable
from app.model.message import Message
from app.model.records import Deletion, Loaded, Record
from app.model.search import SearchOrder
from app.model.session import Session
from app.resolvers.comparing import Comparison, compare_stores
from app.resolvers.moving import copy_store
from tests.stores import STORES, fill

KINDS = tuple(STORES)
PAIRS = (("sqlite", "sqlite"), *zip(KINDS, (*KINDS[1:], KINDS[0]), strict=True))
"""Round in a circle: each kind gives and takes once."""


@pytest.fixture(params=PAIRS, ids="-to-".join)
def openers(request: pytest.FixtureRequest) -> tuple[OpenNamed, OpenNamed]:
    """What opens the stores of two kinds."""
    first, second = request.param
    return STORES[first](request), STORES[second](request)


@pytest.fixture
async def pair(openers: tuple[OpenNamed, OpenNamed]) -> AsyncIterator[tuple[Backend, Backend]]:
    """A store with something of everything, and an empty one."""
    source, target = await openers[0]("source"), await openers[1]("target")
    await fill(source)
    yield source, target
    await source.close()
    await target.close()


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[tuple[Backend, Backend]]:
    """Two empty stores of the default kind."""
    source = await open_backend(f"sqlite:///{tmp_path}/source.db")
    target = await open_backend(f"sqlite:///{tmp_path}/target.db")
    yield source, target
    await source.close()
    await target.close()


async def copy(source: Backend, target: Backend) -> Loaded:
    return await copy_store(source, target, on_record=lambda record: None)


async def test_a_copy_holds_the_same_records(pair: tuple[Backend, Backend]) -> None:
    source, target = pair
    loaded = await copy(source, target)
    records = await records_of(source)
    assert loaded == Loaded(sessions=6, messages=1417, damages=1, deletions=1)
    assert await records_of(target) == records
    assert await log_of(target) == await log_of(source)
    assert await errors_found(target) == []


async def test_a_second_copy_changes_nothing(pair: tuple[Backend, Backend]) -> None:
    source, target = pair
    await copy(source, target)
    records = await records_of(target)
    assert await copy(source, target) == Loaded(unchanged=6)
    assert await records_of(target) == records


async def test_what_was_written_since_comes_with_the_next_copy(
    pair: tuple[Backend, Backend],
) -> None:
    source, target = pair
    await copy(source, target)
    await done(source, changed(AddMessages((said("more"),)), at=20, idempotency=attempt("more")))
    await done(source, changed(RenameSession("later"), session_id=SECOND, at=21))
    await done(source, changed(DeleteSession(), session_id=THIRD, at=22))
    await done(source, created(number_id(70), at=23))
    loaded = await copy(source, target)
    assert loaded == Loaded(sessions=1, messages=10, unchanged=3, replaced=2, deletions=1)
    assert await records_of(target) == await records_of(source)


async def test_a_copy_there_and_back_changes_nothing(pair: tuple[Backend, Backend]) -> None:
    source, target = pair
    before = await records_of(source)
    await copy(source, target)
    assert await copy(target, source) == Loaded(unchanged=6)
    assert await records_of(source) == before


async def test_a_copy_finds_the_same(pair: tuple[Backend, Backend]) -> None:
    source, target = pair
    await copy(source, target)
    counts = {"edited": 2, "m70": 4, "m5": 2, "hi": 1, "nothing": 0}
    requests = [asked(query, order=order, limit=50) for query in counts for order in SearchOrder]
    found = await pages_of_hits(source, requests)
    assert [len(found[request].items) for request in requests[::2]] == list(counts.values())
    assert await pages_of_hits(target, requests) == found


async def test_a_client_goes_on_at_the_copy_where_it_was(pair: tuple[Backend, Backend]) -> None:
    source, target = pair
    position = (await session_of(source)).position
    await copy(source, target)
    adding = changed(AddMessages((said("next"),)), at=30, idempotency=attempt("next"))
    outcomes = [await done(store, adding) for store in (source, target)]
    assert outcomes[0] == outcomes[1]
    news = await log_of(target, after=position)
    assert [event.sequence for event in news.events] == [10]
    assert not news.gap


@pytest.fixture
def chain(request: pytest.FixtureRequest) -> list[OpenNamed]:
    """What opens the stores of every kind, and at the end those of the first kind again."""
    return [STORES[kind](request) for kind in (*KINDS, KINDS[0])]


async def test_a_store_goes_through_all_kinds_while_it_is_written_to(
    chain: list[OpenNamed],
) -> None:
    stores = [await opener(f"hop-{place}") for place, opener in enumerate(chain)]
    await fill(stores[0])
    for turn in range(2):
        for hop, (source, target) in enumerate(pairwise(stores)):
            at = 40 + 10 * turn + hop
            key = attempt(f"{turn}:{hop}")
            await done(source, changed(AddMessages((said("on the way"),)), at=at, idempotency=key))
            await done(source, created(number_id(200 + at), messages=numbered(3), at=at))
            loaded = await copy(source, target)
            assert loaded.conflicts == ()
            compared = await compare(source, target)
            assert compared.identical
            assert compared.first == compared.second
        # The first is now the only one that lacks what was written on the way.
        assert (await copy(stores[-1], stores[0])).conflicts == ()
    for store in stores:
        await store.close()


async def compare(first: Backend, second: Backend) -> Comparison:
    return await compare_stores(
        first,
        second,
        on_difference=lambda difference: None,
        on_session=lambda session: None,
        on_record=lambda record: None,
    )


async def test_a_key_that_a_deletion_set_free_is_copied_at_once(
    stores: tuple[Backend, Backend],
) -> None:
    source, target = stores
    await done(source, created(SECOND, key="room"))
    await copy(source, target)
    await done(source, changed(DeleteSession(), session_id=SECOND))
    await done(source, created(FIRST, key="room", at=9))
    assert await copy(source, target) == Loaded(sessions=1, deletions=1)
    assert await records_of(target) == await records_of(source)


async def test_what_was_written_in_the_target_alone_stays_and_is_named_once(
    stores: tuple[Backend, Backend],
) -> None:
    source, target = stores
    for session_id in (FIRST, SECOND, THIRD):
        await done(source, created(session_id))
    await copy(source, target)
    await done(target, changed(RenameSession("only here"), at=5))
    await done(target, changed(RenameSession("only here"), session_id=SECOND, at=5))
    before = await records_of(target)
    await done(source, changed(RenameSession("only there"), at=6))
    await done(source, changed(DeleteSession(), session_id=SECOND, at=6))
    loaded = await copy(source, target)
    assert loaded == Loaded(unchanged=1, conflicts=(SECOND, FIRST))
    assert await records_of(target) == before


async def test_a_copy_that_breaks_off_leaves_whole_sessions_and_can_be_repeated(
    pair: tuple[Backend, Backend],
) -> None:
    source, target = pair
    records = await records_of(source)
    breaks = [at for at, one in enumerate(records) if isinstance(one, Message)][::311]
    assert len(breaks) >= 4
    for at in breaks:
        passed = 0

        def break_off(record: Record, limit: int = at) -> None:
            nonlocal passed
            passed += 1
            if passed > limit:
                raise StoreUnavailable("the connection is gone")

        with pytest.raises(StoreUnavailable):
            await copy_store(source, target, on_record=break_off)
        there = await records_of(target)
        # Deletions are brought over first.
        assert [one for one in there if not isinstance(one, Deletion)] == [
            one for one in there if one in records and not isinstance(one, Deletion)
        ]
        assert await errors_found(target) == []
        counts = [one.message_count for one in there if isinstance(one, Session)]
        assert sum(isinstance(one, Message) for one in there) == sum(counts)
    await copy(source, target)
    assert await records_of(target) == records
