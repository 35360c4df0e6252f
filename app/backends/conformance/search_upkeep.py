"""What is committed is found, and what is gone is not, from then on."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from app.backends.conformance.samples import (
    BOB,
    FIRST,
    SECOND,
    THIRD,
    all_done,
    attempt,
    changed,
    created,
    done,
    outcome_of,
    records_of,
    said,
    stream,
)
from app.backends.conformance.search_samples import (
    asked,
    hits_of,
    pages_of_hits,
    sessions_found,
    texts_found,
)
from app.backends.conformance.subject import BackendTests, OpenStore
from app.backends.protocol import EVERYTHING, Backend
from app.model.changes import (
    AddMessages,
    ArchiveMessages,
    Change,
    CopyMessages,
    DeleteMessage,
    DeleteSession,
    EditMessage,
    RenameSession,
    TruncateMessages,
)
from app.model.errors import NotFound
from app.model.identifiers import Sequence
from app.model.message import MessageScope
from app.model.parts import TextPart

ONE, TWO, THREE = "alpha one 一", "alpha two 二", "alpha three 三"
NEW = "alpha new 新"


@dataclass(frozen=True)
class Case:
    """Changes of a session that says `ONE`, `TWO` and `THREE`, and what is found after them."""

    changes: tuple[Change, ...]
    found: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(type(change).__name__ for change in self.changes)


CASES = (
    Case((AddMessages((said(NEW),)),), (ONE, TWO, THREE, NEW)),
    Case((EditMessage(Sequence(2), parts=(TextPart(NEW),)),), (ONE, NEW, THREE)),
    Case((EditMessage(Sequence(2), parts=()),), (ONE, THREE)),
    Case((EditMessage(Sequence(2), model="m"),), (ONE, TWO, THREE)),
    Case((DeleteMessage(Sequence(2)),), (ONE, THREE)),
    Case((TruncateMessages(Sequence(1)),), (ONE,)),
    Case((TruncateMessages(Sequence(0)),), ()),
    Case((TruncateMessages(Sequence(0)), AddMessages((said(NEW),))), (NEW,)),
    Case((ArchiveMessages(Sequence(2)),), (ONE, TWO, THREE)),
    Case((ArchiveMessages(Sequence(2)), TruncateMessages(Sequence(0))), ()),
    Case((AddMessages((said(NEW),)), DeleteMessage(Sequence(4))), (ONE, TWO, THREE)),
    Case(
        (AddMessages((said("x"),)), EditMessage(Sequence(4), parts=(TextPart(NEW),))),
        (ONE, TWO, THREE, NEW),
    ),
    Case(
        (
            EditMessage(Sequence(1), parts=(TextPart("gone"),)),
            EditMessage(Sequence(1), parts=(TextPart(NEW),)),
        ),
        (NEW, TWO, THREE),
    ),
    Case((DeleteSession(),), ()),
)


async def speak(backend: Backend) -> None:
    """Makes the first session say three things, and Bob's the same."""
    words = [said(text) for text in (ONE, TWO, THREE)]
    await done(backend, created(messages=words))
    await done(backend, created(SECOND, owner_id=BOB, messages=words))


async def found(backend: Backend, query: str = "alpha") -> list[str]:
    """Returns what is found in the first session, in its own order."""
    page = await hits_of(backend, asked(query, session_id=FIRST))
    ordered = sorted(page.items, key=lambda hit: hit.message.sequence)
    return [hit.message.text for hit in ordered]


async def expect(backend: Backend, case: Case) -> None:
    """Asserts that the first session's words are found as they are, and Bob's besides."""
    assert await found(backend) == list(case.found)
    for text, character in zip((ONE, TWO, THREE, NEW), "一二三新", strict=True):
        kept = [text] if text in case.found else []
        assert await found(backend, character) == kept, character
        word = text.split()[1]
        assert await found(backend, word) == kept, word
    assert len(await texts_found(backend, "alpha")) == len(case.found) + 3


class SearchUpkeepTests(BackendTests):
    """Searching after changes."""

    @pytest.mark.parametrize("case", CASES, ids=str)
    async def test_a_change_is_found_at_once_and_after_reopening(
        self, backend: Backend, reopen: OpenStore, case: Case
    ) -> None:
        await speak(backend)
        assert await found(backend) == [ONE, TWO, THREE]
        await done(backend, changed(*case.changes))
        await expect(backend, case)
        await expect(await reopen(), case)

    async def test_archiving_moves_a_hit_to_the_archive(self, backend: Backend) -> None:
        await speak(backend)
        await done(backend, changed(ArchiveMessages(Sequence(2))))
        requests = [asked("alpha", session_id=FIRST, messages=scope) for scope in MessageScope]
        pages = await pages_of_hits(backend, requests)
        numbers = [[hit.message.sequence for hit in pages[one].items] for one in requests]
        assert numbers == [[3], [2, 1], [3, 2, 1]]
        (hit,) = (await hits_of(backend, asked("three", session_id=FIRST))).items
        assert hit.session.archived_message_count == 2

    async def test_a_commit_that_fails_leaves_nothing_to_be_found(self, backend: Backend) -> None:
        await speak(backend)
        failing = changed(
            EditMessage(Sequence(1), parts=(TextPart(NEW),)),
            AddMessages((said(NEW),)),
            TruncateMessages(Sequence(2)),
            DeleteMessage(Sequence(99)),
        )
        assert isinstance(await outcome_of(backend, failing), NotFound)
        assert await found(backend) == [ONE, TWO, THREE]
        assert await found(backend, "new") == []

    async def test_a_repeated_attempt_is_found_once(self, backend: Backend) -> None:
        await speak(backend)
        commit = changed(AddMessages((said(NEW),)), idempotency=attempt("again"))
        for _ in range(2):
            await done(backend, commit)
        assert await found(backend, "new") == [NEW]

    async def test_commits_of_one_call_are_all_found(self, backend: Backend) -> None:
        await speak(backend)
        added = [changed(AddMessages((said(f"beta {at}"),)), at=at + 2) for at in range(20)]
        await all_done(backend, *added)
        assert await found(backend, "beta") == [f"beta {at}" for at in range(20)]

    async def test_a_fork_is_found_beside_its_source(self, backend: Backend) -> None:
        await speak(backend)
        fork = created(THIRD, at=2)
        copies = (*fork.changes, CopyMessages(FIRST, Sequence(2)), AddMessages((said(NEW),)))
        await done(backend, type(fork)(fork.session_id, copies, fork.at))
        assert await texts_found(backend, "alpha", session_id=THIRD) == [ONE, TWO, NEW]
        assert await found(backend) == [ONE, TWO, THREE]
        await done(backend, changed(DeleteSession(), at=3))
        assert await found(backend) == []
        assert await texts_found(backend, "alpha", session_id=THIRD) == [ONE, TWO, NEW]

    async def test_a_session_may_be_made_anew(self, backend: Backend) -> None:
        await speak(backend)
        await done(backend, changed(DeleteSession(), at=2))
        await done(backend, created(messages=[said(NEW)], at=3))
        assert await found(backend) == [NEW]
        assert await found(backend, "one") == []

    async def test_what_is_loaded_is_found(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        await speak(backend)
        await done(backend, changed(EditMessage(Sequence(2), parts=(TextPart(NEW),))))
        await done(backend, changed(ArchiveMessages(Sequence(1)), RenameSession("beta")))
        other = await another_store()
        await other.load(backend.export(EVERYTHING))
        assert await found(other) == [ONE, NEW, THREE]
        assert await found(other, "two") == []
        assert await sessions_found(other, "beta") == [FIRST]
        await done(other, changed(AddMessages((said("after"),)), at=5))
        assert await found(other, "after") == ["after"]
        assert len(await texts_found(other, "alpha")) == 6

    async def test_what_takes_the_place_of_a_session_is_found_in_its_stead(
        self, backend: Backend, another_store: OpenStore
    ) -> None:
        await speak(backend)
        follower = await another_store()
        await follower.load(backend.export(EVERYTHING))
        await done(backend, changed(TruncateMessages(Sequence(1)), AddMessages((said(NEW),)), at=2))
        gone = changed(DeleteSession(), session_id=SECOND, at=3)
        await done(backend, gone)
        await follower.load(stream(await records_of(backend)), replace=True)
        assert await found(follower) == [ONE, NEW]
        assert await texts_found(follower, "alpha") == [ONE, NEW]
        assert await found(follower, "二") == []

    async def test_what_another_process_says_is_found(
        self, backend: Backend, second_process: OpenStore
    ) -> None:
        other = await second_process()
        await speak(backend)
        assert await found(other) == [ONE, TWO, THREE]
        await done(other, changed(EditMessage(Sequence(2), parts=(TextPart(NEW),))))
        assert await found(backend) == [ONE, NEW, THREE]
        assert await found(backend, "二") == []
        await done(backend, changed(DeleteSession(), at=3))
        assert await found(other) == []
