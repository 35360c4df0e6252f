"""A store follows another: what has moved on there is brought over, what is new here stays."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from app.backends.conformance.samples import (
    FIRST,
    OTHER_EPOCH,
    SECOND,
    THIRD,
    attempt,
    changed,
    created,
    done,
    errors_found,
    log_of,
    messages_of,
    number_id,
    numbered,
    records_of,
    said,
    session_of,
    stream,
    texts_of,
)
from app.backends.conformance.subject import BackendTests, OpenStore
from app.backends.conformance.transfer import well_filled
from app.backends.protocol import EVERYTHING, Backend
from app.model.changes import (
    AddMessages,
    ArchiveMessages,
    Change,
    DeleteMessage,
    DeleteSession,
    EditMessage,
    PinSession,
    RenameSession,
    SetMetadata,
    TruncateMessages,
)
from app.model.errors import InvalidInput
from app.model.identifiers import Sequence
from app.model.message import Message
from app.model.parts import TextPart
from app.model.records import Damage, IdempotencyRecord, Loaded


async def follow(source: Backend, target: Backend) -> Loaded:
    """Brings what has changed in one store to another."""
    return await target.load(stream(await records_of(source)), replace=True)


@dataclass(frozen=True)
class Moved:
    """How a session of five messages, two of them archived, moves on."""

    changes: tuple[Change, ...]
    messages: int


MOVES = {
    "grown": Moved((AddMessages(numbered(2, start=6)),), 7),
    "edited": Moved((EditMessage(Sequence(4), parts=(TextPart("new"),), preview="new"),), 5),
    "marked": Moved((RenameSession("later"), PinSession(True), SetMetadata({"a": 1})), 5),
    "archived": Moved((ArchiveMessages(Sequence(4)),), 5),
    "shortened": Moved((DeleteMessage(Sequence(1)), TruncateMessages(Sequence(3))), 2),
    "emptied": Moved((TruncateMessages(Sequence(0)),), 0),
    "rewritten": Moved((TruncateMessages(Sequence(0)), AddMessages(numbered(3))), 3),
}


class FollowingTests(BackendTests):
    """Loading with `replace`."""

    async def start(self, backend: Backend, another_store: OpenStore) -> Backend:
        """Makes a session with some history, and another store that has it as well."""
        await done(backend, created(messages=numbered(5), idempotency=attempt("create")))
        await done(backend, changed(ArchiveMessages(Sequence(2)), at=1))
        other = await another_store()
        assert (await follow(backend, other)).sessions == 1
        return other

    @pytest.mark.parametrize("move", MOVES.values(), ids=MOVES.keys())
    async def test_a_session_that_has_moved_on_is_brought_forward(
        self, backend: Backend, another_store: OpenStore, move: Moved
    ) -> None:
        other = await self.start(backend, another_store)
        await done(backend, changed(*move.changes, at=9, idempotency=attempt("move")))
        assert await follow(backend, other) == Loaded(messages=move.messages, replaced=1)
        assert await records_of(other) == await records_of(backend)
        assert await log_of(other) == await log_of(backend)
        assert await errors_found(other) == []

    async def test_following_again_changes_nothing(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        await well_filled(backend)
        other = await another_store()
        first = await follow(backend, other)
        records = await records_of(backend)
        assert (first.sessions, first.replaced, first.deletions) == (4, 0, 1)
        assert await follow(backend, other) == Loaded(unchanged=4)
        assert await records_of(other) == records

    async def test_a_session_brought_forward_lives_on(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        other = await self.start(backend, another_store)
        await done(backend, changed(AddMessages(numbered(1, start=6)), at=8))
        await follow(backend, other)
        for store in (backend, other):
            archived = await done(store, changed(ArchiveMessages(Sequence(5)), at=9))
            assert archived.affected == 3
            added = await done(store, changed(AddMessages((said("next"),)), at=10))
            assert added.sequences == range(7, 8)
        assert await records_of(other) == await records_of(backend)
        replayed = created(messages=numbered(5), idempotency=attempt("create"))
        assert (await done(other, replayed)).replayed

    async def test_a_session_found_by_its_key_stays_the_same_one(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        other = await self.start(backend, another_store)
        await done(backend, changed(RenameSession("later"), at=9))
        await follow(backend, other)
        again = await done(other, created(SECOND, key=f"key-{FIRST}", get_existing=True))
        assert again.existing
        assert again.session == await session_of(backend)

    async def test_what_was_written_here_alone_is_never_given_up(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        other = await self.start(backend, another_store)
        await done(other, changed(AddMessages((said("only here"),)), at=8))
        theirs = await records_of(other)
        for _ in range(3):
            await done(backend, changed(AddMessages((said("only there"),)), at=9))
            assert await follow(backend, other) == Loaded(conflicts=(FIRST,))
            assert await records_of(other) == theirs
        assert (await texts_of(other))[-1] == "only here"

    async def test_a_store_that_is_ahead_is_left_alone(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        other = await self.start(backend, another_store)
        await done(other, changed(AddMessages(numbered(2, start=6)), at=8))
        theirs = await records_of(other)
        assert await follow(backend, other) == Loaded(conflicts=(FIRST,))
        assert await records_of(other) == theirs

    async def test_another_life_of_a_session_is_left_alone(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        other = await self.start(backend, another_store)
        await done(backend, changed(DeleteSession(), at=8))
        await done(backend, created(epoch=OTHER_EPOCH, messages=numbered(9), at=9))
        theirs = await records_of(other)
        assert await follow(backend, other) == Loaded(conflicts=(FIRST,))
        assert await records_of(other) == theirs

    async def test_a_session_that_was_deleted_there_is_deleted_here(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        other = await self.start(backend, another_store)
        await done(backend, changed(DeleteSession(), at=9, idempotency=attempt("delete")))
        assert await follow(backend, other) == Loaded(deletions=1)
        assert await other.get_sessions([FIRST], EVERYTHING) == {}
        assert await log_of(other) == await log_of(backend)
        assert await records_of(other) == await records_of(backend)
        assert await follow(backend, other) == Loaded()
        await done(other, created(SECOND, key=f"key-{FIRST}"))

    async def test_a_deletion_does_not_reach_what_was_written_here_since(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        other = await self.start(backend, another_store)
        await done(backend, changed(DeleteSession(), at=9))
        await done(other, changed(AddMessages((said("only here"),)), at=9))
        theirs = await records_of(other)
        assert await follow(backend, other) == Loaded(conflicts=(FIRST,))
        assert await records_of(other) == theirs

    async def test_a_session_deleted_here_stays_deleted(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        other = await self.start(backend, another_store)
        await done(other, changed(DeleteSession(), at=8))
        await done(backend, changed(AddMessages((said("more"),)), at=9))
        theirs = await records_of(other)
        assert await follow(backend, other) == Loaded(conflicts=(FIRST,))
        assert await records_of(other) == theirs

    async def test_a_new_life_takes_the_place_of_a_deletion(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        other = await self.start(backend, another_store)
        await done(backend, changed(DeleteSession(), at=8))
        await follow(backend, other)
        await done(backend, created(epoch=OTHER_EPOCH, messages=numbered(2), at=9))
        assert await follow(backend, other) == Loaded(sessions=1, messages=2)
        assert await records_of(other) == await records_of(backend)
        await done(backend, changed(DeleteSession(), at=10))
        assert await follow(backend, other) == Loaded(deletions=1)
        assert await records_of(other) == await records_of(backend)

    async def test_a_deletion_takes_the_place_of_another(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        other = await self.start(backend, another_store)
        await done(backend, changed(DeleteSession(), at=8))
        await follow(backend, other)
        await done(backend, created(epoch=OTHER_EPOCH, at=9))
        await done(backend, changed(DeleteSession(), at=10))
        assert (await other.load(stream(await records_of(backend)))).conflicts == (FIRST,)
        assert await follow(backend, other) == Loaded(deletions=1)
        assert await records_of(other) == await records_of(backend)

    async def test_attempts_that_changed_nothing_are_brought_over(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        other = await self.start(backend, another_store)
        nothing = changed(PinSession(False), idempotency=attempt("a"), at=8)
        await done(backend, nothing)
        assert (await other.load(stream(await records_of(backend)))).conflicts == (FIRST,)
        assert await follow(backend, other) == Loaded(replaced=1)
        assert await records_of(other) == await records_of(backend)
        assert (await done(other, nothing)).replayed

    async def test_attempts_made_here_alone_stay_known(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        other = await self.start(backend, another_store)
        nothing = changed(PinSession(False), idempotency=attempt("only here"), at=8)
        await done(other, nothing)
        assert await follow(backend, other) == Loaded(unchanged=1)
        await done(backend, changed(AddMessages((said("m6"),)), at=9))
        assert await follow(backend, other) == Loaded(messages=6, replaced=1)
        assert (await done(other, nothing)).replayed

    async def test_attempts_on_deleted_sessions_move_along(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        deletion = changed(DeleteSession(), at=9, idempotency=attempt("delete"))
        await done(backend, created(idempotency=attempt("create")))
        await done(backend, deletion)
        other = await another_store()
        assert await other.load(stream(await records_of(backend))) == Loaded(deletions=1)
        assert await records_of(other) == await records_of(backend)
        kept = [one for one in await records_of(other) if isinstance(one, IdempotencyRecord)]
        assert [one.idempotency.key for one in kept] == ["create", "delete"]
        assert (await done(other, deletion)).replayed
        assert (await done(other, created(idempotency=attempt("create")))).replayed

    async def test_the_rest_is_brought_over_beside_what_is_reported(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        for session_id in (FIRST, SECOND, THIRD):
            await done(backend, created(session_id, messages=numbered(2)))
        other = await another_store()
        await follow(backend, other)
        await done(other, changed(RenameSession("only here"), session_id=SECOND, at=8))
        for session_id in (FIRST, SECOND, THIRD):
            more = changed(AddMessages((said("more"),)), session_id=session_id, at=9)
            await done(backend, more)
        await done(backend, created(number_id(9), messages=numbered(1), at=9))
        loaded = await follow(backend, other)
        assert loaded == Loaded(sessions=1, messages=7, replaced=2, conflicts=(SECOND,))
        for session_id in (FIRST, THIRD, number_id(9)):
            assert await messages_of(other, session_id) == await messages_of(backend, session_id)
        assert await texts_of(other, SECOND) == ["m1", "m2"]

    async def test_a_later_state_that_is_not_whole_leaves_the_earlier(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        other = await self.start(backend, another_store)
        theirs = await records_of(other)
        await done(backend, changed(AddMessages((said("m6"),)), at=9))
        broken = [
            one
            for one in await records_of(backend)
            if not (isinstance(one, Message) and one.sequence == 3)
        ]
        with pytest.raises(InvalidInput):
            await other.load(stream(broken), replace=True)
        assert await records_of(other) == theirs

    async def test_damage_comes_in_the_order_of_its_digest(self, backend: Backend) -> None:
        damages = [Damage("a.jsonl", line, "torn", b"{\x00") for line in range(1, 9)]
        expected = sorted(damages, key=lambda damage: damage.digest)
        assert expected != damages
        await backend.load(stream(damages))
        again = replace(damages[0], reason="told otherwise")
        assert (await backend.load(stream([again]))).damages == 0
        assert await records_of(backend) == expected

    async def test_keys_of_attempts_come_in_the_order_of_code_points(
        self, backend: Backend
    ) -> None:
        names = ["b", "B", "a", "Z", "é", "z", "会", "_", "\U0001f680", "\uffee", "10", "9"]
        await done(backend, created())
        for name in names:
            await done(backend, changed(PinSession(False), idempotency=attempt(name)))
        kept = [one for one in await records_of(backend) if isinstance(one, IdempotencyRecord)]
        assert [one.idempotency.key for one in kept] == sorted(names)
