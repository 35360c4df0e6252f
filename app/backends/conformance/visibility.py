"""Whatever is not in scope is as if it were not there: in every method, in reads and in writes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.backends.conformance.samples import (
    ABSENT,
    ALICE,
    ALICES,
    BOB,
    BOBS,
    EPOCH,
    FIRST,
    SECOND,
    THIRD,
    all_done,
    attempt,
    changed,
    created,
    done,
    message_id,
    message_window,
    numbered,
    outcome_of,
    records_of,
    said,
)
from app.backends.conformance.subject import BackendTests
from app.backends.protocol import EVERYTHING, Backend
from app.model.changes import (
    AddMessages,
    ArchiveMessages,
    ArchiveSession,
    Change,
    Commit,
    Committed,
    CopyMessages,
    DeleteMessage,
    DeleteSession,
    EditMessage,
    PinSession,
    RenameSession,
    SetMetadata,
    StarSession,
    TruncateMessages,
)
from app.model.errors import Conflict, NotFound, ScrollbackError
from app.model.events import Event, LogRead
from app.model.identifiers import Sequence, SessionId, SessionKey
from app.model.message import Message
from app.model.paging import MessagePageRequest, Page, SessionPageRequest, Window
from app.model.parts import TextPart
from app.model.records import IdempotencyRecord
from app.model.session import Session, User

EVERY_CHANGE: tuple[Change, ...] = (
    RenameSession("taken over"),
    PinSession(True),
    StarSession(True),
    ArchiveSession(True),
    SetMetadata({"mine": True}),
    AddMessages((said("from outside"),)),
    EditMessage(Sequence(1), parts=(TextPart("overwritten"),)),
    DeleteMessage(Sequence(1)),
    TruncateMessages(Sequence(0)),
    ArchiveMessages(Sequence(2)),
    DeleteSession(),
)


async def two_owners(backend: Backend) -> None:
    """Gives Alice the first session, Bob the second; the third has no owner."""
    await all_done(
        backend,
        created(FIRST, messages=numbered(3), key="hers", idempotency=attempt("hers")),
        created(SECOND, messages=numbered(2), key="his", owner_id=BOB, at=1),
        created(THIRD, messages=numbered(1), key="nobody's", owner_id=None, at=2),
    )


def shown(outcome: Committed | ScrollbackError, session_id: SessionId) -> tuple[type, str]:
    """Returns what a caller can see of a refusal, with the id that they named taken out."""
    return type(outcome), str(outcome).replace(session_id, "")


class VisibilityTests(BackendTests):
    """A foreign object equals an absent one."""

    async def test_sessions_are_answered_to_their_owner_alone(self, backend: Backend) -> None:
        await two_owners(backend)
        ids = [FIRST, SECOND, THIRD, ABSENT]
        assert list(await backend.get_sessions(ids, ALICES)) == [FIRST]
        assert list(await backend.get_sessions(ids, BOBS)) == [SECOND]
        assert set(await backend.get_sessions(ids, EVERYTHING)) == {FIRST, SECOND, THIRD}

    async def test_keys_of_others_find_nothing(self, backend: Backend) -> None:
        await two_owners(backend)
        hers, his = SessionKey(ALICE, "hers"), SessionKey(BOB, "his")
        unowned = SessionKey(None, "nobody's")
        keys = [hers, his, unowned, SessionKey(BOB, "hers")]
        assert list(await backend.find_sessions(keys, ALICES)) == [hers]
        assert list(await backend.find_sessions(keys, BOBS)) == [his]
        assert set(await backend.find_sessions(keys, EVERYTHING)) == {hers, his, unowned}

    async def test_pages_of_sessions_show_no_trace_of_others(self, backend: Backend) -> None:
        await two_owners(backend)
        request = SessionPageRequest(Window(1))
        page = (await backend.page_sessions([request], ALICES))[request]
        assert isinstance(page, Page)
        assert [session.id for session in page.items] == [FIRST]
        assert (page.has_previous, page.has_next) == (False, False)

    async def test_messages_of_others_are_absent(self, backend: Backend) -> None:
        await two_owners(backend)
        ids = [message_id(1), message_id(1, SECOND), message_id(1, THIRD), message_id(1, ABSENT)]
        assert list(await backend.get_messages(ids, BOBS)) == [message_id(1, SECOND)]
        assert len(await backend.get_messages(ids, EVERYTHING)) == 3

    async def test_pages_of_messages_of_others_are_absent(self, backend: Backend) -> None:
        await two_owners(backend)
        requests = [
            MessagePageRequest(session_id, message_window(10))
            for session_id in (FIRST, SECOND, THIRD, ABSENT)
        ]
        assert list(await backend.page_messages(requests, ALICES)) == [requests[0]]
        assert list(await backend.page_messages(requests, BOBS)) == [requests[1]]
        assert len(await backend.page_messages(requests, EVERYTHING)) == 3

    async def test_logs_of_others_are_absent(self, backend: Backend) -> None:
        await two_owners(backend)
        reads = [LogRead(session_id, None, 10) for session_id in (FIRST, SECOND, THIRD, ABSENT)]
        assert list(await backend.read_logs(reads, ALICES)) == [reads[0]]
        assert list(await backend.read_logs(reads, BOBS)) == [reads[1]]
        assert len(await backend.read_logs(reads, EVERYTHING)) == 3

    async def test_the_log_of_a_deleted_session_stays_with_its_owner(
        self, backend: Backend
    ) -> None:
        await two_owners(backend)
        await done(backend, changed(DeleteSession()))
        read = LogRead(FIRST, None, 10)
        assert await backend.read_logs([read], BOBS) == {}
        assert list(await backend.read_logs([read], ALICES)) == [read]

    async def test_an_owner_sees_only_themselves_among_users(self, backend: Backend) -> None:
        await two_owners(backend)
        assert list(await backend.get_users([ALICE, BOB], ALICES)) == [ALICE]
        assert await backend.get_users([ALICE], BOBS) == {}

    async def test_an_export_holds_what_is_in_scope_alone(self, backend: Backend) -> None:
        await two_owners(backend)
        await done(backend, changed(RenameSession("x"), idempotency=attempt("rename")))
        records = await records_of(backend, BOBS)
        assert [record.id for record in records if isinstance(record, Session)] == [SECOND]
        assert [record.id for record in records if isinstance(record, User)] == [BOB]
        inner = [one for one in records if isinstance(one, Message | Event | IdempotencyRecord)]
        assert {record.session_id for record in inner} == {SECOND}

    @pytest.mark.parametrize("change", EVERY_CHANGE, ids=lambda change: type(change).__name__)
    async def test_a_write_to_a_foreign_session_is_refused_as_to_an_absent_one(
        self, backend: Backend, change: Change
    ) -> None:
        await two_owners(backend)
        before = await records_of(backend)
        foreign = await outcome_of(backend, changed(change), BOBS)
        absent = await outcome_of(backend, changed(change, session_id=ABSENT), BOBS)
        assert isinstance(foreign, NotFound)
        assert shown(foreign, FIRST) == shown(absent, ABSENT)
        assert await records_of(backend) == before

    async def test_a_write_to_an_unowned_session_needs_the_wider_scope(
        self, backend: Backend
    ) -> None:
        await two_owners(backend)
        rename = changed(RenameSession("mine"), session_id=THIRD)
        assert isinstance(await outcome_of(backend, rename, BOBS), NotFound)
        assert isinstance(await outcome_of(backend, rename, EVERYTHING), Committed)

    async def test_expectations_and_attempts_betray_no_foreign_session(
        self, backend: Backend
    ) -> None:
        await two_owners(backend)
        for commit in (
            changed(PinSession(True), expected=4),
            changed(PinSession(True), expected=99),
            changed(PinSession(True), idempotency=attempt("hers")),
            changed(PinSession(True), idempotency=attempt("hers", "another request")),
        ):
            assert isinstance(await outcome_of(backend, commit, BOBS), NotFound)

    async def test_a_creation_learns_nothing_of_a_foreign_attempt(self, backend: Backend) -> None:
        await two_owners(backend)
        for key in ("hers", "never used"):
            commit = created(FIRST, key="his", owner_id=BOB, idempotency=attempt(key))
            outcome = await outcome_of(backend, commit, BOBS)
            assert isinstance(outcome, Conflict)
            assert outcome.current is not None
            assert outcome.current.id == SECOND

    async def test_the_id_of_a_deleted_session_stays_its_owners(self, backend: Backend) -> None:
        await two_owners(backend)
        await done(backend, changed(DeleteSession()))
        before = await records_of(backend)
        commit = created(FIRST, key="new", owner_id=BOB, idempotency=attempt("hers"))
        for scope in (BOBS, EVERYTHING):
            outcome = await outcome_of(backend, replace(commit, idempotency=None), scope)
            assert isinstance(outcome, Conflict)
            assert outcome.current is None
        assert isinstance(await outcome_of(backend, commit, BOBS), Conflict)
        assert await records_of(backend) == before

    async def test_nothing_is_copied_from_a_foreign_session(self, backend: Backend) -> None:
        await two_owners(backend)
        before = await records_of(backend)
        fork, from_nothing = (
            Commit(
                SessionId(ABSENT[:-1] + "0"),
                (*created(key="fork", owner_id=BOB).changes, CopyMessages(source)),
                created().at,
            )
            for source in (FIRST, ABSENT)
        )
        foreign = await outcome_of(backend, fork, BOBS)
        absent = await outcome_of(backend, from_nothing, BOBS)
        assert isinstance(foreign, NotFound)
        assert shown(foreign, FIRST) == shown(absent, ABSENT)
        assert await records_of(backend) == before

    async def test_no_session_is_made_for_another_owner(self, backend: Backend) -> None:
        before = await records_of(backend)
        for owner in (ALICE, None):
            outcome = await outcome_of(backend, created(owner_id=owner), BOBS)
            assert isinstance(outcome, ScrollbackError)
        assert await records_of(backend) == before

    async def test_a_taken_id_of_a_foreign_session_shows_nothing_of_it(
        self, backend: Backend
    ) -> None:
        await two_owners(backend)
        before = await records_of(backend)
        for existing in (False, True):
            commit = created(FIRST, key="hers", owner_id=BOB, epoch=EPOCH, get_existing=existing)
            outcome = await outcome_of(backend, commit, BOBS)
            assert isinstance(outcome, ScrollbackError)
            assert not isinstance(outcome, Conflict) or outcome.current is None
            assert "hers" not in str(outcome)
        assert await records_of(backend) == before
