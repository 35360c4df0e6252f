"""A store's content goes from one store into another unchanged, and a load can be repeated."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
from msgspec import structs

from app.backends.conformance.log import STORY
from app.backends.conformance.samples import (
    ALICES,
    BOB,
    BOBS,
    EPOCH,
    FIRST,
    OTHER_EPOCH,
    SECOND,
    THIRD,
    all_done,
    attempt,
    changed,
    created,
    done,
    log_of,
    number_id,
    numbered,
    records_of,
    said,
    session_of,
    stream,
)
from app.backends.conformance.subject import BackendTests, OpenStore
from app.backends.protocol import EVERYTHING, Backend
from app.model.changes import (
    AddMessages,
    ArchiveMessages,
    Commit,
    CopyMessages,
    DeleteSession,
    RenameSession,
)
from app.model.errors import InvalidInput
from app.model.events import Event
from app.model.identifiers import AgentId, ProfileId, Sequence, SessionId, UserId
from app.model.message import Message, Sender
from app.model.records import Damage, Deletion, IdempotencyRecord, Loaded, Record
from app.model.session import Agent, Profile, Session, User

DAMAGE = Damage("sessions/a.jsonl", 3, "not JSON", b'{"half": \xff\x00')
NAMES: list[User | Agent | Profile] = [
    User(UserId("alice"), "Alice"),
    User(UserId("ada"), None),
    Agent(AgentId("navigator"), "The Navigator"),
    Profile(ProfileId("default"), "会话"),
]


async def well_filled(backend: Backend) -> None:
    """Fills a store with something of everything that can be exported."""
    await backend.load(stream([*NAMES, DAMAGE]))
    await done(backend, created(FIRST, title="Draft", idempotency=attempt("create")))
    await all_done(backend, *STORY)
    sender = Sender("Ada", UserId("ada"), AgentId("navigator"))
    his = created(SECOND, owner_id=BOB, messages=[said("hi", sender=sender)], at=3)
    await done(backend, his)
    await done(backend, changed(ArchiveMessages(Sequence(1)), session_id=SECOND, at=4))
    await done(backend, created(THIRD, owner_id=None, profile_id=ProfileId("default"), at=5))
    fork = created(number_id(50), at=6)
    await done(backend, replace(fork, changes=(*fork.changes, CopyMessages(SECOND))))
    await done(backend, created(number_id(51), messages=numbered(2), at=7))
    await done(backend, changed(DeleteSession(), session_id=number_id(51), at=8))


def session_ids(records: list[Record]) -> list[SessionId]:
    """Returns the ids of the sessions in a stream, in its order."""
    return [record.id for record in records if isinstance(record, Session)]


def counted(records: list[Record]) -> Loaded:
    """Returns what a load of these records into an empty store must answer."""
    return Loaded(
        sessions=len(session_ids(records)),
        messages=sum(isinstance(record, Message) for record in records),
        damages=sum(isinstance(record, Damage) for record in records),
        deletions=sum(isinstance(record, Deletion) for record in records),
    )


class TransferTests(BackendTests):
    """Export and load."""

    async def test_an_export_is_in_order(self, backend: Backend) -> None:
        await well_filled(backend)
        records = await records_of(backend)
        ids = session_ids(records)
        assert ids == sorted(ids)
        assert set(ids) == {FIRST, SECOND, THIRD, number_id(50)}
        kinds = [User, Agent, Profile]
        ranks: list[tuple[int, str, int]] = []
        gone = {one.session_id for one in records if isinstance(one, Deletion)}
        for record in records:
            match record:
                case User() | Agent() | Profile():
                    ranks.append((0, str(kinds.index(type(record))), 0))
                case Session():
                    ranks.append((1, record.id, 0))
                case Message():
                    ranks.append((1, record.session_id, 1))
                case Event():
                    ranks.append((1, record.session_id, 2))
                case IdempotencyRecord():
                    ranks.append((1 + (record.session_id in gone), record.session_id, 3))
                case Deletion():
                    ranks.append((2, record.session_id, 0))
                case Damage():
                    ranks.append((3, "", 0))
        assert ranks == sorted(ranks)

    async def test_an_export_holds_the_store_as_it_is_read(self, backend: Backend) -> None:
        await well_filled(backend)
        records = await records_of(backend)
        assert [one for one in records if isinstance(one, Session) and one.id == FIRST] == [
            await session_of(backend)
        ]
        events = [one for one in records if isinstance(one, Event) and one.session_id == FIRST]
        log = (await log_of(backend)).events
        assert events == [structs.replace(event, message=None) for event in log]
        keys = [one for one in records if isinstance(one, IdempotencyRecord)]
        assert [(one.session_id, one.idempotency) for one in keys] == [(FIRST, attempt("create"))]
        deletions = [one for one in records if isinstance(one, Deletion)]
        assert [(one.session_id, one.epoch, one.revision) for one in deletions] == [
            (number_id(51), EPOCH, 4)
        ]
        assert [one for one in records if isinstance(one, Damage)] == [DAMAGE]
        assert set(NAMES) <= {one for one in records if isinstance(one, User | Agent | Profile)}

    async def test_what_was_exported_loads_to_the_same(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        await well_filled(backend)
        records = await records_of(backend)
        other = await another_store()
        assert await other.load(stream(records)) == counted(records)
        assert await records_of(other) == records
        assert await log_of(other) == await log_of(backend)

    async def test_loading_twice_changes_nothing(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        await well_filled(backend)
        records = await records_of(backend)
        other = await another_store()
        await other.load(stream(records))
        again = await other.load(stream(records))
        assert again == Loaded(unchanged=len(session_ids(records)))
        assert await records_of(other) == records

    async def test_loading_into_its_own_store_changes_nothing(self, backend: Backend) -> None:
        await well_filled(backend)
        records = await records_of(backend)
        loaded = await backend.load(stream(records))
        assert (loaded.sessions, loaded.conflicts) == (0, ())
        assert await records_of(backend) == records

    async def test_a_loaded_session_lives_on(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        await well_filled(backend)
        records = await records_of(backend)
        other = await another_store()
        await other.load(stream(records))
        creation = created(FIRST, title="Draft", idempotency=attempt("create"))
        assert (await done(other, creation)).replayed
        for store in (backend, other):
            added = await done(store, changed(AddMessages((said("next"),)), at=90))
            assert added.sequences == range(10, 11)
            assert added.session == await session_of(store)
        assert await records_of(other) == await records_of(backend)

    async def test_a_session_in_another_state_is_reported_and_left_alone(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        await all_done(backend, created(FIRST, messages=numbered(2)), created(SECOND))
        records = await records_of(backend)
        other = await another_store()
        await other.load(stream(records))
        await done(backend, changed(RenameSession("here"), at=5))
        await done(other, changed(RenameSession("there"), at=6))
        theirs = await records_of(other)
        loaded = await other.load(stream(await records_of(backend)))
        assert (loaded.sessions, loaded.messages, loaded.unchanged) == (0, 0, 1)
        assert loaded.conflicts == (FIRST,)
        assert await records_of(other) == theirs

    async def test_a_session_further_on_is_reported_and_left_alone(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        await done(backend, created(FIRST, messages=numbered(2)))
        old = await records_of(backend)
        other = await another_store()
        await other.load(stream(old))
        await done(backend, changed(AddMessages((said("m3"),)), at=5))
        new = await records_of(backend)
        assert (await other.load(stream(new))).conflicts == (FIRST,)
        assert await records_of(other) == old
        assert (await backend.load(stream(old))).conflicts == (FIRST,)
        assert await records_of(backend) == new

    async def test_a_session_whose_key_is_taken_is_reported(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        await done(backend, created(FIRST, key="same"))
        other = await another_store()
        await done(other, created(SECOND, key="same", epoch=OTHER_EPOCH))
        theirs = await records_of(other)
        loaded = await other.load(stream(await records_of(backend)))
        assert (loaded.sessions, loaded.conflicts) == (0, (FIRST,))
        assert await records_of(other) == theirs

    async def test_a_session_that_was_deleted_is_not_brought_back(self, backend: Backend) -> None:
        await done(backend, created(FIRST, messages=numbered(2)))
        old = await records_of(backend)
        await done(backend, changed(DeleteSession()))
        after = await records_of(backend)
        assert (await backend.load(stream(old))).conflicts == (FIRST,)
        assert await records_of(backend) == after
        assert await backend.get_sessions([FIRST], EVERYTHING) == {}

    async def test_a_deletion_of_a_session_that_lives_here_is_reported(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        await done(backend, created(FIRST))
        other = await another_store()
        await other.load(stream(await records_of(backend)))
        theirs = await records_of(other)
        await done(backend, changed(DeleteSession(), at=5))
        loaded = await other.load(stream(await records_of(backend)))
        assert loaded == Loaded(conflicts=(FIRST,))
        assert await records_of(other) == theirs

    async def test_a_deletion_reaches_whoever_watches_the_copy(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        await done(backend, created(FIRST))
        await done(backend, changed(DeleteSession(), at=5))
        other = await another_store()
        await other.load(stream(await records_of(backend)))
        assert await log_of(other) == await log_of(backend)

    async def test_an_export_is_resumed_after_a_session(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        await well_filled(backend)
        records = await records_of(backend)
        other = await another_store()
        for session_id in session_ids(records):
            rest = await records_of(backend, after=session_id)
            assert rest == records[len(records) - len(rest) :]
            assert session_ids(rest) == [one for one in session_ids(records) if one > session_id]
            assert not [one for one in rest if isinstance(one, User | Agent | Profile)]
        rest = await records_of(backend, after=SECOND)
        await other.load(stream(records[: len(records) - len(rest)]))
        await other.load(stream(rest))
        assert await records_of(other) == records

    @pytest.mark.parametrize("replacing", [False, True])
    @pytest.mark.parametrize("left_out", [Message, Event])
    async def test_what_is_not_whole_is_refused_where_another_state_of_it_is_here(
        self, backend: Backend, another_store: OpenStore, left_out: type[Record], replacing: bool
    ) -> None:
        source = await another_store()
        await done(source, created(FIRST, messages=numbered(3)))
        await done(source, created(SECOND, messages=numbered(2)))
        await done(backend, created(SECOND, messages=numbered(2)))
        await done(backend, changed(RenameSession("here"), session_id=SECOND))
        records = await records_of(source)
        torn = max(at for at, record in enumerate(records) if isinstance(record, left_out))
        with pytest.raises(InvalidInput) as refused:
            await backend.load(stream([*records[:torn], *records[torn + 1 :]]), replace=replacing)
        assert refused.value.message == (
            f"session {SECOND} is not whole: its messages and events do not fit its header"
        )
        assert (await session_of(backend, SECOND)).title == "here"
        # What came before is taken in.
        assert (await session_of(backend, FIRST)).message_count == 3

    async def test_a_record_that_stands_behind_another_session_is_refused(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        source = await another_store()
        await done(source, created(FIRST, messages=numbered(3)))
        await done(source, created(SECOND, messages=numbered(2)))
        records = await records_of(source)
        astray = [one for one in records if not (isinstance(one, Session) and one.id == SECOND)]
        with pytest.raises(InvalidInput) as refused:
            await backend.load(stream(astray))
        assert refused.value.message == (
            f"a record of session {SECOND} does not stand behind its session"
        )
        assert (await session_of(backend, FIRST)).message_count == 3

    async def test_a_session_is_loaded_whole_or_not_at_all(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        await done(backend, created(FIRST, messages=numbered(3)))
        records = await records_of(backend)
        for missing in (Message, Event):
            broken = [one for one in records if not isinstance(one, missing)]
            other = await another_store()
            try:
                loaded = await other.load(stream(broken))
            except InvalidInput:
                loaded = Loaded()
            assert loaded.sessions == 0, f"a session without its {missing.__name__}s was taken in"
            assert await other.get_sessions([FIRST], EVERYTHING) == {}
            assert [one for one in await records_of(other) if isinstance(one, Message)] == []

    async def test_a_record_before_its_session_is_refused(self, backend: Backend) -> None:
        await done(backend, created(FIRST, messages=numbered(1)))
        records = await records_of(backend)
        stray = next(one for one in records if isinstance(one, Message))
        with pytest.raises(InvalidInput):
            await backend.load(stream([structs.replace(stray, session_id=SECOND)]))
        assert await records_of(backend) == records

    async def test_an_export_that_is_left_early_leaves_nothing_behind(
        self, backend: Backend
    ) -> None:
        await well_filled(backend)
        records = await records_of(backend)
        for taken in (1, len(NAMES) + 3, len(records) // 2, len(records) - 1):
            export = backend.export(EVERYTHING)
            for record in records[:taken]:
                assert await anext(export) == record
            if isinstance(export, AsyncGenerator):
                await export.aclose()
            assert await records_of(backend) == records
        await done(backend, changed(AddMessages((said("next"),)), at=90))

    async def test_an_export_in_scope_loads_to_the_same(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        await well_filled(backend)
        hers = await records_of(backend, ALICES)
        other = await another_store()
        loaded = await other.load(stream(hers))
        assert loaded.sessions == 2
        assert await records_of(other, ALICES) == hers
        assert session_ids(await records_of(other)) == session_ids(hers)
        assert set(await other.get_users([UserId("alice")], ALICES)) == {"alice"}
        assert session_ids(await records_of(other, BOBS)) == []

    async def test_an_export_holds_each_session_in_one_state(self, backend: Backend) -> None:
        ids = [number_id(number) for number in range(1, 6)]
        await all_done(backend, *(created(session_id, messages=numbered(2)) for session_id in ids))
        records: list[Record] = []
        async for record in backend.export(EVERYTHING):
            records.append(record)
            if isinstance(record, Session) and record.id in ids[:-1]:
                following = ids[ids.index(record.id) + 1]
                commit: Commit = changed(AddMessages((said("more"),)), session_id=following, at=9)
                await done(backend, commit)
        for session in (one for one in records if isinstance(one, Session)):
            mine = [one for one in records if isinstance(one, Message | Event)]
            messages = [
                one for one in mine if isinstance(one, Message) and one.session_id == session.id
            ]
            events = [
                one for one in mine if isinstance(one, Event) and one.session_id == session.id
            ]
            assert (len(messages), len(events)) == (session.message_count, session.revision)
