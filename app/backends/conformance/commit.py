"""A commit happens whole or not at all, once, and harms no other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.backends.conformance.samples import (
    ABSENT,
    EPOCH,
    FIRST,
    OTHER_EPOCH,
    SECOND,
    all_done,
    attempt,
    changed,
    created,
    done,
    events_of,
    message_id,
    messages_of,
    moment,
    numbered,
    outcome_of,
    records_of,
    said,
    session_of,
    texts_of,
)
from app.backends.conformance.subject import BackendTests
from app.backends.protocol import EVERYTHING, Backend
from app.model.changes import (
    AddMessages,
    ArchiveMessages,
    Change,
    Commit,
    Committed,
    CopyMessages,
    CreateSession,
    DeleteMessage,
    DeleteSession,
    EditMessage,
    PinSession,
    RenameSession,
    SetMetadata,
    TruncateMessages,
)
from app.model.errors import Conflict, InvalidInput, NotFound
from app.model.identifiers import Revision, Sequence
from app.model.parts import TextPart

FAILING = DeleteMessage(Sequence(99))


class CommitTests(BackendTests):
    """The one door for writes."""

    @pytest.mark.parametrize(
        "change",
        [
            RenameSession("half done"),
            PinSession(True),
            SetMetadata({"half": "done"}),
            AddMessages((said("half done"),)),
            EditMessage(Sequence(1), parts=(TextPart("half done"),)),
            DeleteMessage(Sequence(1)),
            TruncateMessages(Sequence(1)),
            ArchiveMessages(Sequence(2)),
        ],
        ids=lambda change: type(change).__name__,
    )
    async def test_a_commit_that_fails_leaves_nothing_of_itself(
        self, backend: Backend, change: Change
    ) -> None:
        await done(backend, created(messages=numbered(3)))
        before = await records_of(backend)
        failing = changed(change, FAILING, at=50, idempotency=attempt("failing"))
        assert isinstance(await outcome_of(backend, failing), NotFound)
        assert await records_of(backend) == before
        following = await done(backend, changed(AddMessages((said("next"),)), at=60))
        assert following.sequences == range(4, 5)
        assert following.position.revision == 5

    async def test_a_creation_that_fails_leaves_no_session(self, backend: Backend) -> None:
        before = await records_of(backend)
        commit = created(messages=numbered(2), idempotency=attempt("create"))
        failing = Commit(FIRST, (*commit.changes, FAILING), commit.at, commit.idempotency)
        assert isinstance(await outcome_of(backend, failing), NotFound)
        assert await backend.get_sessions([FIRST], EVERYTHING) == {}
        assert await records_of(backend) == before
        assert not (await done(backend, commit)).replayed

    async def test_siblings_of_a_failing_commit_are_carried_out(self, backend: Backend) -> None:
        await all_done(backend, created(FIRST, messages=numbered(1)), created(SECOND))
        outcomes = await backend.commit(
            [
                changed(AddMessages((said("before"),)), at=1),
                changed(AddMessages((said("lost"),)), FAILING, at=2),
                changed(PinSession(True), session_id=ABSENT),
                changed(PinSession(True), session_id=SECOND, expected=99),
                changed(AddMessages((said("after"),)), at=3),
                changed(RenameSession("renamed"), session_id=SECOND, at=4),
            ],
            EVERYTHING,
        )
        assert [type(outcome) for outcome in outcomes] == [
            Committed,
            NotFound,
            NotFound,
            Conflict,
            Committed,
            Committed,
        ]
        assert await texts_of(backend) == ["m1", "before", "after"]
        second = await session_of(backend, SECOND)
        assert (second.title, second.pinned_at) == ("renamed", None)

    async def test_commits_of_one_call_are_carried_out_in_order(self, backend: Backend) -> None:
        outcomes = await all_done(
            backend,
            created(),
            *(changed(AddMessages((said(f"m{number}"),)), at=number) for number in range(1, 8)),
            changed(DeleteMessage(Sequence(7)), at=8),
        )
        assert [outcome.position.revision for outcome in outcomes] == list(range(1, 10))
        assert await texts_of(backend) == [f"m{number}" for number in range(1, 7)]

    async def test_no_commit_has_no_outcome(self, backend: Backend) -> None:
        assert list(await backend.commit([], EVERYTHING)) == []

    async def test_the_answer_is_the_state_right_after_the_commit(self, backend: Backend) -> None:
        first, second, third = await all_done(
            backend,
            created(),
            changed(AddMessages((said("m1"),)), at=1),
            changed(RenameSession("later"), at=2),
        )
        counts = [one.session.message_count for one in (first, second, third) if one.session]
        assert counts == [0, 1, 1]
        assert second.session is not None
        assert second.session.title is None
        assert third.session == await session_of(backend)

    @pytest.mark.parametrize(
        "changes",
        [
            (RenameSession("x"), CreateSession(key="late", epoch=EPOCH)),
            (RenameSession("x"), DeleteSession()),
            (DeleteSession(), AddMessages((said("too late"),))),
            (AddMessages((said("x"),)), CopyMessages(SECOND)),
            (CopyMessages(SECOND),),
        ],
        ids=lambda changes: "+".join(type(change).__name__ for change in changes),
    )
    async def test_changes_in_an_impossible_order_are_refused(
        self, backend: Backend, changes: tuple[Change, ...]
    ) -> None:
        await all_done(
            backend, created(messages=numbered(2)), created(SECOND, messages=numbered(3))
        )
        before = await records_of(backend)
        assert isinstance(await outcome_of(backend, changed(*changes)), InvalidInput)
        assert await records_of(backend) == before

    @pytest.mark.parametrize(
        "change",
        [
            AddMessages((said("\ud800", preview=None),)),
            AddMessages((said("m", metadata={"a": "\udfff"}),)),
            EditMessage(Sequence(1), usage={"a": 2**70}),
            RenameSession("\ud800"),
            SetMetadata({"a": 2**70}),
        ],
        ids=ascii,
    )
    async def test_what_cannot_be_stored_is_refused_alone(
        self, backend: Backend, change: Change
    ) -> None:
        await done(backend, created(messages=numbered(1)))
        refused = changed(AddMessages((said("half"),)), change, at=1)
        healthy = changed(AddMessages((said("m2"),)), at=2)
        alone = await outcome_of(backend, refused)
        together = await backend.commit([refused, healthy], EVERYTHING)
        assert isinstance(alone, InvalidInput)
        assert [type(outcome) for outcome in together] == [InvalidInput, Committed]
        assert await texts_of(backend) == ["m1", "m2"]

    async def test_true_is_not_one(self, backend: Backend) -> None:
        await done(backend, created(metadata={"a": 1}, messages=[said("m", metadata={"a": 1})]))
        await done(backend, changed(SetMetadata({"a": True}), at=5))
        await done(backend, changed(EditMessage(Sequence(1), metadata={"a": True}), at=6))
        assert (await session_of(backend)).metadata["a"] is True
        assert (await messages_of(backend))[0].metadata["a"] is True

    async def test_expected_is_the_revision_that_must_be(self, backend: Backend) -> None:
        created_session = await done(backend, created(messages=numbered(2)))
        first = await done(backend, changed(RenameSession("a"), expected=3))
        assert first.position.revision == 4
        before = await records_of(backend)
        for expected in (0, 3, 5):
            outcome = await outcome_of(
                backend, changed(AddMessages((said("late"),)), expected=expected, at=9)
            )
            assert isinstance(outcome, Conflict)
            assert outcome.current == first.session
        assert await records_of(backend) == before
        assert created_session.position.revision == 3

    async def test_a_session_that_is_yet_to_be_made_is_expected_at_revision_0(
        self, backend: Backend
    ) -> None:
        refused = await outcome_of(backend, replace(created(), expected=Revision(1)))
        assert isinstance(refused, Conflict)
        assert refused.message == "the session is at revision 0, not 1"
        assert refused.current is None
        await done(backend, replace(created(), expected=Revision(0)))

    async def test_of_two_who_expect_the_same_revision_one_wins(self, backend: Backend) -> None:
        await done(backend, created())
        outcomes = await backend.commit(
            [
                changed(RenameSession("one"), expected=1, at=1),
                changed(RenameSession("two"), expected=1, at=2),
            ],
            EVERYTHING,
        )
        assert [type(outcome) for outcome in outcomes] == [Committed, Conflict]
        assert (await session_of(backend)).title == "one"

    async def test_an_attempt_repeated_gives_the_first_result(self, backend: Backend) -> None:
        await done(backend, created(messages=numbered(2)))
        adding = changed(
            AddMessages((said("a"), said("b"))),
            DeleteMessage(Sequence(1)),
            idempotency=attempt("k"),
        )
        first = await done(backend, adding)
        await done(backend, changed(AddMessages((said("c"),)), at=2))
        before = await records_of(backend)
        again = await done(backend, adding)
        assert again.replayed
        assert not first.replayed
        assert (again.position, again.sequences, again.affected) == (
            first.position,
            first.sequences,
            first.affected,
        )
        assert (again.sequences, again.affected) == (range(3, 5), 1)
        assert again.session == await session_of(backend)
        assert await records_of(backend) == before

    async def test_a_repeated_attempt_does_not_mind_that_the_revision_has_moved(
        self, backend: Backend
    ) -> None:
        await done(backend, created())
        edit = changed(RenameSession("mine"), expected=1, idempotency=attempt("k"))
        await done(backend, edit)
        await done(backend, changed(RenameSession("other"), at=2))
        assert (await done(backend, edit)).replayed
        assert (await session_of(backend)).title == "other"

    async def test_a_repeated_creation_finds_its_session(self, backend: Backend) -> None:
        creation = created(messages=numbered(2), idempotency=attempt("k"))
        first = await done(backend, creation)
        again = await done(backend, creation)
        assert again.replayed
        assert (again.position, again.sequences) == (first.position, first.sequences)
        assert again.session == first.session
        assert len(await events_of(backend)) == 3

    async def test_a_repeated_deletion_is_known(self, backend: Backend) -> None:
        await done(backend, created(messages=numbered(2)))
        deletion = changed(DeleteSession(), idempotency=attempt("k"))
        first = await done(backend, deletion)
        again = await done(backend, deletion)
        assert again.replayed
        assert (again.session, again.position, again.affected) == (None, first.position, 2)

    async def test_attempts_twice_in_one_call_count_once(self, backend: Backend) -> None:
        await done(backend, created())
        adding = changed(AddMessages((said("once"),)), idempotency=attempt("k"))
        first, second = await all_done(backend, adding, adding)
        assert (first.replayed, second.replayed) == (False, True)
        assert await texts_of(backend) == ["once"]

    async def test_an_attempt_for_another_request_is_a_conflict(self, backend: Backend) -> None:
        await done(backend, created())
        await done(backend, changed(RenameSession("a"), idempotency=attempt("k", "digest a")))
        before = await records_of(backend)
        outcome = await outcome_of(
            backend, changed(RenameSession("b"), idempotency=attempt("k", "digest b"), at=2)
        )
        assert isinstance(outcome, Conflict)
        assert outcome.current == await session_of(backend)
        assert await records_of(backend) == before

    async def test_attempts_on_two_sessions_do_not_meet(self, backend: Backend) -> None:
        await all_done(backend, created(FIRST), created(SECOND))
        for session_id in (FIRST, SECOND):
            rename = changed(
                RenameSession("x"), session_id=session_id, idempotency=attempt("same key")
            )
            assert not (await done(backend, rename)).replayed

    async def test_an_attempt_that_changed_nothing_is_remembered(self, backend: Backend) -> None:
        await done(backend, created(title="a"))
        rename = changed(RenameSession("a"), idempotency=attempt("k"))
        first = await done(backend, rename)
        await done(backend, changed(RenameSession("b"), at=2))
        again = await done(backend, rename)
        assert (again.replayed, again.position) == (True, first.position)
        assert (await session_of(backend)).title == "b"

    @pytest.mark.parametrize(
        "change",
        [
            AddMessages((said("orphan"),)),
            RenameSession("ghost"),
            EditMessage(Sequence(1), model="x"),
            DeleteMessage(Sequence(1)),
            TruncateMessages(Sequence(0)),
            ArchiveMessages(Sequence(1)),
            DeleteSession(),
        ],
        ids=lambda change: type(change).__name__,
    )
    async def test_a_write_to_a_deleted_session_is_not_found_and_leaves_nothing(
        self, backend: Backend, change: Change
    ) -> None:
        await done(backend, created(messages=numbered(2)))
        await done(backend, changed(DeleteSession()))
        before = await records_of(backend)
        write = changed(change, at=9, idempotency=attempt("late"))
        assert isinstance(await outcome_of(backend, write), NotFound)
        assert await records_of(backend) == before
        ids = [message_id(number) for number in range(1, 5)]
        assert await backend.get_messages(ids, EVERYTHING) == {}

    async def test_a_session_can_be_made_again_in_a_new_life(self, backend: Backend) -> None:
        await done(backend, created(messages=numbered(3)))
        await done(backend, changed(DeleteSession()))
        again = await done(backend, created(epoch=OTHER_EPOCH, messages=numbered(1), at=9))
        assert again.position == (OTHER_EPOCH, 2)
        assert await texts_of(backend) == ["m1"]
        assert (await session_of(backend)).created_at == moment(9)
