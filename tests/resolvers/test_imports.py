"""Importing is safe to repeat, takes what has grown, and leaves alone what is different."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from app.backends.open import open_backend
from app.backends.protocol import EVERYTHING, Backend, Scope, Severity
from app.formats.conversation import Conversation, Item, Notice
from app.model.changes import (
    Commit,
    Committed,
    CreateSession,
    DeleteMessage,
    DeleteSession,
    RenameSession,
)
from app.model.errors import ScrollbackError, StoreUnavailable, UnknownOutcome
from app.model.identifiers import (
    AgentId,
    ProfileId,
    SessionId,
    SessionKey,
    UserId,
    derive_session_id,
    new_epoch,
    new_session_id,
)
from app.model.identifiers import (
    Sequence as Number,
)
from app.model.message import Message, MessageRole, MessageScope, NewMessage
from app.model.paging import MessagePageRequest, Window
from app.model.parts import TextPart
from app.model.records import Damage
from app.model.session import Agent, Profile, Session
from app.model.timestamps import Timestamp
from app.resolvers.imports import ImportReport, Problem, import_conversations

ADA = UserId("ada")
NOON = Timestamp("2026-03-01T12:00:00.000000Z")
LATER = Timestamp("2026-03-02T12:00:00.000000Z")


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    opened = await open_backend(f"sqlite:///{tmp_path}/store.db")
    yield opened
    assert [f async for f in opened.check() if f.severity is Severity.ERROR] == []
    await opened.close()


@dataclass
class Imported:
    report: ImportReport
    problems: list[Problem] = field(default_factory=list)

    @property
    def codes(self) -> list[str]:
        return [problem.code for problem in self.problems]


async def bring(
    backend: Backend, *items: Item, owner: UserId | None = ADA, restore: bool = False
) -> Imported:
    async def stream() -> AsyncIterator[Item]:
        for item in items:
            yield item

    problems: list[Problem] = []
    report = await import_conversations(
        backend, owner, stream(), on_problem=problems.append, restore=restore
    )
    return Imported(report, problems)


def say(text: str, at: Timestamp | None = None) -> NewMessage:
    return NewMessage(MessageRole.USER, (TextPart(text),), created_at=at)


def chat(*texts: str, key: str = "web:1") -> Conversation:
    return Conversation(
        key=key,
        title="Chat",
        channel="web",
        created_at=NOON,
        messages=tuple(say(text) for text in texts),
        source="chats.jsonl",
        line=1,
        format="openai",
    )


async def find(backend: Backend, key: str = "web:1", owner: UserId | None = ADA) -> Session | None:
    name = SessionKey(owner, key)
    found = (await backend.find_sessions([name], EVERYTHING)).get(name)
    assert not isinstance(found, ScrollbackError)
    return found


async def messages(backend: Backend, key: str = "web:1") -> tuple[Message, ...]:
    session = await find(backend, key)
    assert session is not None
    request = MessagePageRequest(session.id, Window(100), MessageScope.ALL)
    page = (await backend.page_messages([request], EVERYTHING))[request]
    assert not isinstance(page, ScrollbackError)
    return page.items


async def change(
    backend: Backend, session: Session, *changes: RenameSession | DeleteMessage | DeleteSession
) -> None:
    (outcome,) = await backend.commit([Commit(session.id, changes, at=LATER)], EVERYTHING)
    assert isinstance(outcome, Committed)


async def exported(backend: Backend) -> list[object]:
    return [record async for record in backend.export(EVERYTHING)]


async def test_a_conversation_becomes_a_session_with_its_id_from_owner_and_key(
    backend: Backend,
) -> None:
    known = replace(
        chat("Hello\n there", "Bye"),
        agent=Agent(AgentId("atlas"), "Atlas"),
        profile=Profile(ProfileId("everyday"), "Everyday"),
        metadata={"mood": "good", "import": "by hand"},
    )
    imported = await bring(backend, known)
    assert imported.report == ImportReport(sessions=1, created=1, messages=2)
    session = await find(backend)
    assert session is not None
    assert session.id == derive_session_id("import", "ada", "web:1")
    assert (session.title, session.channel, session.created_at) == ("Chat", "web", NOON)
    assert (session.agent_id, session.profile_id) == ("atlas", "everyday")
    assert session.preview == "Bye"
    assert session.metadata["mood"] == "good"
    assert session.metadata["import_in_source"] == "by hand"
    assert session.metadata["import"]["count"] == 2
    assert (await backend.get_agents([AgentId("atlas")])) == {
        "atlas": Agent(AgentId("atlas"), "Atlas")
    }
    assert [one.preview for one in await messages(backend)] == ["Hello there", "Bye"]


async def test_a_second_run_changes_nothing_at_all(backend: Backend) -> None:
    damage = Damage("chats.jsonl", 7, "torn", b"{")
    items = [chat("a", key=f"web:{number}") for number in range(450)]
    first = await bring(backend, *items, damage)
    assert first.report == ImportReport(
        sessions=450, created=450, messages=450, damaged=1, damages_kept=1
    )
    before = await exported(backend)
    second = await bring(backend, *items, damage)
    assert second.report == ImportReport(sessions=450, unchanged=450, damaged=1)
    assert second.codes == ["DAMAGED"]
    assert await exported(backend) == before


async def test_what_has_grown_gains_the_rest_and_keeps_what_was_changed_here(
    backend: Backend,
) -> None:
    await bring(backend, chat("a"))
    session = await find(backend)
    assert session is not None
    await change(backend, session, RenameSession("Mine"))
    grown = await bring(backend, chat("a", "b", "c"))
    assert grown.report == ImportReport(sessions=1, extended=1, messages=2)
    assert [one.text for one in await messages(backend)] == ["a", "b", "c"]
    session = await find(backend)
    assert session is not None
    assert session.title == "Mine"
    assert session.metadata["import"]["count"] == 3
    assert (await bring(backend, chat("a", "b", "c"))).report.unchanged == 1


async def test_a_source_that_is_behind_is_no_difference(backend: Backend) -> None:
    await bring(backend, chat("a", "b", "c"))
    assert (await bring(backend, chat("a", "b"))).report == ImportReport(sessions=1, unchanged=1)
    assert (await bring(backend, chat("a", "x"))).codes == ["DIFFERENT"]


async def test_a_conversation_with_other_messages_is_told_and_left_alone(
    backend: Backend,
) -> None:
    await bring(backend, chat("a", "b"))
    before = await exported(backend)
    for other in (chat("a", "x"), chat("x", "b", "c"), chat("b")):
        imported = await bring(backend, other)
        assert imported.codes == ["DIFFERENT"]
        assert imported.report == ImportReport(sessions=1, left_alone=1)
        assert not imported.report.complete
    assert await exported(backend) == before


async def test_a_session_of_that_key_which_was_not_imported_is_left_alone(
    backend: Backend,
) -> None:
    mine = CreateSession(key="web:1", epoch=new_epoch(), owner_id=ADA, title="Mine")
    (made,) = await backend.commit([Commit(new_session_id(), (mine,), at=NOON)], EVERYTHING)
    assert isinstance(made, Committed)
    before = await exported(backend)
    imported = await bring(backend, chat("b"))
    assert imported.codes == ["DIFFERENT"]
    assert await exported(backend) == before


async def test_two_conversations_of_one_key_in_one_source(backend: Backend) -> None:
    twice = await bring(backend, chat("a"), chat("a"), chat("a", "b"), chat("x"))
    assert twice.report == ImportReport(
        sessions=4, created=1, unchanged=1, extended=1, left_alone=1, messages=2
    )
    again = await bring(backend, chat("a"), chat("a"), chat("a", "b"), chat("x"))
    assert again.report == ImportReport(sessions=4, unchanged=3, left_alone=1)


async def test_what_was_deleted_here_stays_deleted_unless_it_is_to_be_restored(
    backend: Backend,
) -> None:
    await bring(backend, chat("a"))
    session = await find(backend)
    assert session is not None
    await change(backend, session, DeleteSession())
    for again in (chat("a"), chat("a", "b")):
        imported = await bring(backend, again)
        assert imported.codes == ["DELETED"]
        assert await find(backend) is None
    restored = await bring(backend, chat("a", "b"), restore=True)
    assert restored.report == ImportReport(sessions=1, created=1, messages=2)
    assert [one.text for one in await messages(backend)] == ["a", "b"]


async def test_a_message_deleted_here_does_not_come_back(backend: Backend) -> None:
    await bring(backend, chat("a", "b"))
    session = await find(backend)
    assert session is not None
    await change(backend, session, DeleteMessage(Number(1)))
    assert (await bring(backend, chat("a", "b"))).report.unchanged == 1
    assert (await bring(backend, chat("a", "b", "c"))).report.extended == 1
    assert [one.text for one in await messages(backend)] == ["b", "c"]


async def test_times_that_are_not_given_follow_the_beginning_and_never_go_back(
    backend: Backend,
) -> None:
    said = (say("a"), say("b", LATER), say("c"), say("d", NOON))
    await bring(backend, replace(chat(), messages=said))
    assert [one.created_at for one in await messages(backend)] == [NOON, LATER, LATER, NOON]
    session = await find(backend)
    assert session is not None
    assert session.metadata["import"]["derived_times"] == 2


async def test_a_file_that_was_sorted_anew_is_the_same_to_a_second_run(backend: Backend) -> None:
    await bring(backend, chat("a"))
    moved = replace(chat("a"), created_at=LATER, line=90)
    assert (await bring(backend, moved)).report == ImportReport(sessions=1, unchanged=1)


async def test_the_same_conversation_of_two_owners_is_two_sessions(backend: Backend) -> None:
    await bring(backend, chat("a"))
    assert (await bring(backend, chat("a"), owner=UserId("bob"))).report.created == 1
    assert (await bring(backend, chat("a"), owner=None)).report.created == 1
    assert (await find(backend, owner=None)) is not None


@pytest.mark.parametrize("key", ["k" * 501, ""])
async def test_a_key_that_no_session_can_have_is_refused_and_the_next_comes_in(
    backend: Backend, key: str
) -> None:
    imported = await bring(backend, chat("a", key=key), chat("a"))
    assert imported.report == ImportReport(sessions=2, created=1, left_alone=1, messages=1)
    assert imported.codes == ["REFUSED"]


async def test_what_is_too_long_for_its_field_is_kept_in_the_metadata(backend: Backend) -> None:
    long = replace(chat("a"), title="t" * 501, channel="c" * 101, agent=Agent(AgentId("a" * 129)))
    await bring(backend, long)
    session = await find(backend)
    assert session is not None
    assert session.title == "t" * 499 + "…"
    assert (session.channel, session.agent_id) == (None, None)
    assert session.metadata["title"] == "t" * 501
    assert session.metadata["channel"] == "c" * 101
    assert session.metadata["agent"] == "a" * 129


async def test_a_notice_is_told_and_leaves_the_import_complete(backend: Backend) -> None:
    imported = await bring(backend, Notice("a.jsonl", 2, "odd"), chat("a"))
    assert imported.problems == [Problem("NOTICE", "a.jsonl", 2, "odd")]
    assert imported.report.complete


class Unsure:
    """A store whose first commits are carried out, but whose answers get lost."""

    def __init__(self, backend: Backend, lost: int) -> None:
        self._backend = backend
        self.lost = lost
        self.calls = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._backend, name)

    async def commit(
        self, commits: Sequence[Commit], scope: Scope
    ) -> Sequence[Committed | ScrollbackError]:
        self.calls += 1
        outcomes = await self._backend.commit(commits, scope)
        if self.calls <= self.lost:
            raise UnknownOutcome("the connection was lost")
        return outcomes


async def test_an_unknown_outcome_is_asked_again_and_nothing_happens_twice(
    backend: Backend,
) -> None:
    unsure = Unsure(backend, lost=2)
    await bring(unsure, chat("a", "b"))  # type: ignore[arg-type]
    assert unsure.calls == 3
    assert [one.text for one in await messages(backend)] == ["a", "b"]


async def test_an_outcome_that_stays_unknown_is_an_error(backend: Backend) -> None:
    with pytest.raises(UnknownOutcome):
        await bring(Unsure(backend, lost=9), chat("a"))  # type: ignore[arg-type]


async def test_a_source_that_fails_leaves_whole_sessions_only(backend: Backend) -> None:
    async def stream() -> AsyncIterator[Item]:
        for number in range(250):
            yield chat("a", "b", key=str(number))
        raise StoreUnavailable("the disk has gone")

    with pytest.raises(StoreUnavailable):
        await import_conversations(backend, ADA, stream(), on_problem=lambda _: None)
    sessions = [one for one in await exported(backend) if isinstance(one, Session)]
    assert len(sessions) == 200
    assert {session.message_count for session in sessions} == {2}
    assert SessionId(derive_session_id("import", "ada", "0")) in {one.id for one in sessions}
