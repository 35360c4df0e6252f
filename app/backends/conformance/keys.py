"""A key names one session of one owner, compared byte for byte, whatever it is made of."""

from __future__ import annotations

from app.backends.conformance.samples import (
    ALICE,
    ALICES,
    BOB,
    FIRST,
    SECOND,
    all_done,
    changed,
    created,
    done,
    number_id,
    outcome_of,
    records_of,
)
from app.backends.conformance.subject import BackendTests
from app.backends.protocol import EVERYTHING, Backend
from app.model.changes import DeleteSession
from app.model.errors import Conflict
from app.model.identifiers import SessionKey
from app.model.session import Session

ODD_KEYS = (
    "a:b",
    "a_b",
    "aXb",
    "A:B",
    "a%b",
    "%",
    "_",
    "100%",
    "会话",
    "会話",
    "e\u0301",
    "\u00e9",
    "ß",
    "ss",
    " a",
    "a ",
    "a",
    "A",
    "ａ",
    "😀",
    "👩‍🚀",
    "'; DROP TABLE sessions; --",
    '"quoted"',
    "back\\slash",
    "..",
    "/etc/passwd",
    "line\nbreak",
    "tab\t",
    "0",
    "00",
    "null",
    "x" * 299 + "a",
    "x" * 299 + "b",
    "漢" * 300,
)


class KeyTests(BackendTests):
    """Keys are opaque: nothing is folded, trimmed, matched or cut."""

    async def test_every_key_is_a_session_of_its_own(self, backend: Backend) -> None:
        await all_done(
            backend, *(created(number_id(at), key=key) for at, key in enumerate(ODD_KEYS))
        )
        keys = [SessionKey(ALICE, key) for key in ODD_KEYS]
        found = await backend.find_sessions(keys, ALICES)
        sessions = [found[key] for key in keys]
        assert [one.id for one in sessions if isinstance(one, Session)] == [
            number_id(at) for at in range(len(ODD_KEYS))
        ]
        assert [one.key for one in sessions if isinstance(one, Session)] == list(ODD_KEYS)

    async def test_a_key_that_is_only_similar_finds_nothing(self, backend: Backend) -> None:
        await all_done(backend, created(FIRST, key="Room:1"), created(SECOND, key="caf\u00e9"))
        similar = ["room:1", "Room_1", "Room:1 ", "Room:", "Room:11", "%", "cafe\u0301", "cafe"]
        keys = [SessionKey(ALICE, key) for key in similar]
        assert await backend.find_sessions(keys, EVERYTHING) == {}

    async def test_owners_do_not_share_their_keys(self, backend: Backend) -> None:
        owners = (ALICE, BOB, None)
        await all_done(
            backend,
            *(
                created(number_id(at), key="same", owner_id=owner)
                for at, owner in enumerate(owners)
            ),
        )
        keys = [SessionKey(owner, "same") for owner in owners]
        found = await backend.find_sessions(keys, EVERYTHING)
        sessions = [found[key] for key in keys]
        assert [one.owner_id for one in sessions if isinstance(one, Session)] == list(owners)

    async def test_a_taken_key_is_a_conflict_that_shows_its_session(self, backend: Backend) -> None:
        first = await done(backend, created(FIRST, key="taken"))
        before = await records_of(backend)
        outcome = await outcome_of(backend, created(SECOND, key="taken"), ALICES)
        assert isinstance(outcome, Conflict)
        assert outcome.current == first.session
        assert await records_of(backend) == before

    async def test_a_taken_key_of_no_owner_is_a_conflict_as_well(self, backend: Backend) -> None:
        await done(backend, created(FIRST, key="taken", owner_id=None))
        outcome = await outcome_of(backend, created(SECOND, key="taken", owner_id=None))
        assert isinstance(outcome, Conflict)

    async def test_a_taken_id_is_a_conflict(self, backend: Backend) -> None:
        await done(backend, created(FIRST, key="one"))
        before = await records_of(backend)
        outcome = await outcome_of(backend, created(FIRST, key="two"))
        assert isinstance(outcome, Conflict)
        assert await records_of(backend) == before

    async def test_get_or_create_answers_the_session_as_it_is(self, backend: Backend) -> None:
        first = await done(backend, created(FIRST, key="mine", title="Old"))
        before = await records_of(backend)
        again = await done(backend, created(SECOND, key="mine", title="New", get_existing=True))
        assert again.existing
        assert not again.replayed
        assert again.session == first.session
        assert again.position == first.position
        assert again.sequences == range(0)
        assert await records_of(backend) == before

    async def test_get_or_create_makes_the_session_where_there_is_none(
        self, backend: Backend
    ) -> None:
        await done(backend, created(FIRST, key="mine", owner_id=BOB))
        mine = await done(backend, created(SECOND, key="mine", get_existing=True))
        assert not mine.existing
        assert mine.session is not None
        assert (mine.session.id, mine.session.owner_id) == (SECOND, ALICE)

    async def test_a_key_is_free_again_when_its_session_is_deleted(self, backend: Backend) -> None:
        await done(backend, created(FIRST, key="mine"))
        await done(backend, changed(DeleteSession()))
        key = SessionKey(ALICE, "mine")
        assert await backend.find_sessions([key], EVERYTHING) == {}
        await done(backend, created(SECOND, key="mine"))
        found = (await backend.find_sessions([key], EVERYTHING))[key]
        assert isinstance(found, Session)
        assert found.id == SECOND
