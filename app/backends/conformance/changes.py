"""Every kind of change: what it does, which event it leaves, what it does to the counters."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from app.backends.conformance.samples import (
    FIRST,
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
    ArchiveSession,
    Change,
    DeleteMessage,
    DeleteSession,
    EditMessage,
    PinSession,
    RenameSession,
    SetMetadata,
    StarSession,
    TruncateMessages,
)
from app.model.errors import NotFound
from app.model.events import EventKind
from app.model.identifiers import AgentId, MessageId, ProfileId, Revision, Sequence, UserId
from app.model.message import MessageRole, MessageScope, MessageStatus, NewMessage, Sender
from app.model.parts import (
    AudioPart,
    FilePart,
    ImagePart,
    OtherPart,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from app.model.session import SessionKind

ODD_TEXT = (
    "“quoted” 'single' \\ % _ 会话 👩‍🚀 e\u0301 \u200b\ttab\r\nline {\"json\": [1]} \U0010ffff"
)

METADATA: dict[str, Any] = {
    "text": ODD_TEXT,
    "number": 2**53,
    "negative": -1.5,
    "list": [1, [2, {"three": None}], ""],
    "flags": {"yes": True, "no": False},
    "": "empty name",
}

EVERY_PART = (
    TextPart(ODD_TEXT),
    TextPart('[{"type": "text", "text": "only looks like JSON"}]'),
    TextPart(""),
    ReasoningPart("hm", signature="c2ln"),
    ImagePart("https://example.org/a.png", media_type="image/png", detail="low", alt="an a"),
    AudioPart("data:audio/wav;base64,AAAA", media_type="audio/wav", transcript="la"),
    FilePart(
        "https://example.org/f.pdf", file_name="f.pdf", media_type="application/pdf", size=2**40
    ),
    ToolCallPart("call_1", "search", '{"q": "broken json'),
    ToolResultPart("call_1", "nothing", tool_name="search", is_error=True),
    OtherPart("hologram", {"depth": 3, "layers": [{"z": 1}]}),
)

MARKS = (
    (PinSession, "pinned_at", EventKind.SESSION_PINNED),
    (StarSession, "starred_at", EventKind.SESSION_STARRED),
    (ArchiveSession, "archived_at", EventKind.SESSION_ARCHIVED),
)

NO_OPS: tuple[tuple[Change, ...], ...] = (
    (RenameSession("Title"),),
    (PinSession(False), StarSession(False), ArchiveSession(False)),
    (SetMetadata({"a": 1}),),
    (AddMessages(()),),
    (EditMessage(Sequence(2)),),
    (EditMessage(Sequence(2), parts=(TextPart("m2"),), preview="m2"),),
    (EditMessage(Sequence(2), status=MessageStatus.COMPLETE, metadata={}),),
    (TruncateMessages(Sequence(3)),),
    (),
)


class ChangeTests(BackendTests):
    """What a commit's changes do."""

    async def test_a_new_session_holds_what_it_was_given(self, backend: Backend) -> None:
        fields: dict[str, Any] = {
            "key": "web:1",
            "agent_id": AgentId("navigator"),
            "peer_agent_id": AgentId("pilot"),
            "profile_id": ProfileId("default"),
            "title": ODD_TEXT,
            "kind": SessionKind.AGENT_TO_AGENT,
            "channel": "web",
            "forked_from": MessageId(FIRST, Sequence(0)),
            "metadata": METADATA,
        }
        committed = await done(backend, created(at=7, **fields))
        session = await session_of(backend)
        assert {name: getattr(session, name) for name in fields} == fields
        assert (session.created_at, session.updated_at) == (moment(7), moment(7))
        assert (session.last_message_at, session.last_activity_at) == (None, moment(7))
        assert (session.pinned_at, session.starred_at, session.archived_at) == (None, None, None)
        assert (session.message_count, session.archived_message_count) == (0, 0)
        assert (session.last_sequence, session.preview, session.revision) == (0, None, 1)
        assert (committed.session, committed.position) == (session, session.position)
        assert (committed.sequences, committed.affected) == (range(0), 0)
        assert (committed.replayed, committed.existing) == (False, False)
        assert [event.kind for event in await events_of(backend)] == [EventKind.SESSION_CREATED]

    async def test_a_message_comes_back_as_it_was_said(self, backend: Backend) -> None:
        new = NewMessage(
            role=MessageRole.ASSISTANT,
            parts=EVERY_PART,
            preview="“quoted”…",
            status=MessageStatus.STREAMING,
            sender=Sender(name="Ada", user_id=UserId("ada"), agent_id=AgentId("navigator")),
            model="model-1",
            usage={"input": 12, "output": 0.5},
            metadata=METADATA,
            created_at=moment(3),
        )
        await done(backend, created(messages=[new], at=9))
        (message,) = await messages_of(backend)
        for name in ("role", "parts", "preview", "status", "sender", "model", "usage", "metadata"):
            assert getattr(message, name) == getattr(new, name), name
        assert (message.session_id, message.sequence) == (FIRST, 1)
        assert (message.created_at, message.edited_at, message.archived_at) == (
            moment(3),
            None,
            None,
        )
        assert await backend.get_messages([message_id(1)], EVERYTHING) == {message_id(1): message}

    @pytest.mark.parametrize("role", tuple(MessageRole))
    async def test_a_plain_message_of_every_role(self, backend: Backend, role: MessageRole) -> None:
        await done(backend, created(messages=[NewMessage(role, ())], at=4))
        (message,) = await messages_of(backend)
        assert (message.role, message.parts, message.metadata) == (role, (), {})
        assert (message.preview, message.sender, message.usage) == (None, None, None)
        assert message.created_at == moment(4)

    async def test_adding_numbers_counts_and_tells(self, backend: Backend) -> None:
        await done(backend, created(messages=numbered(2)))
        three = (said("m3", created_at=moment(40)), said("m4", preview=None, created_at=moment(50)))
        committed = await done(
            backend, changed(AddMessages(three), AddMessages((said("m5"),)), at=60)
        )
        assert committed.sequences == range(3, 6)
        session = await session_of(backend)
        assert committed.session == session
        assert (session.message_count, session.last_sequence, session.revision) == (5, 5, 6)
        assert (session.last_message_at, session.last_activity_at) == (moment(60), moment(60))
        assert (session.preview, session.updated_at) == ("m5", moment(60))
        told = [(event.revision, event.kind, event.sequence) for event in await events_of(backend)]
        added = [(n + 1, EventKind.MESSAGE_ADDED, n) for n in range(1, 6)]
        assert told == [(1, EventKind.SESSION_CREATED, None), *added]

    async def test_the_preview_is_that_of_the_last_message_that_has_one(
        self, backend: Backend
    ) -> None:
        silent = said("tool output", MessageRole.TOOL, preview=None)
        await done(backend, created(messages=[said("hello"), silent]))
        assert (await session_of(backend)).preview == "hello"
        await done(backend, changed(DeleteMessage(Sequence(1))))
        assert (await session_of(backend)).preview is None

    async def test_renaming(self, backend: Backend) -> None:
        await done(backend, created(title="Old"))
        for title in (ODD_TEXT, None):
            before = await session_of(backend)
            await done(backend, changed(RenameSession(title), at=5))
            session = await session_of(backend)
            assert session == replace(
                before, title=title, revision=Revision(before.revision + 1), updated_at=moment(5)
            )
            (event,) = await events_of(backend, after=before.revision)
            assert (event.kind, event.data, event.at) == (
                EventKind.SESSION_RENAMED,
                {"title": title},
                moment(5),
            )

    @pytest.mark.parametrize(("change", "mark", "kind"), MARKS)
    async def test_marking_a_session_and_taking_it_back(
        self, backend: Backend, change: type, mark: str, kind: EventKind
    ) -> None:
        await done(backend, created())
        for wanted, at, value in ((True, 5, moment(5)), (True, 6, moment(5)), (False, 7, None)):
            await done(backend, changed(change(wanted), at=at))
            assert getattr(await session_of(backend), mark) == value
        on, off = await events_of(backend, after=1)
        assert (on.kind, on.data, on.at) == (kind, {mark: moment(5)}, moment(5))
        assert (off.kind, off.data, off.at) == (kind, {mark: None}, moment(7))

    async def test_metadata_is_replaced_whole(self, backend: Backend) -> None:
        await done(backend, created(metadata={"old": 1}))
        await done(backend, changed(SetMetadata(METADATA), at=5))
        assert (await session_of(backend)).metadata == METADATA
        (event,) = await events_of(backend, after=1)
        assert (event.kind, event.data) == (
            EventKind.SESSION_METADATA_SET,
            {"metadata": METADATA},
        )

    async def test_editing_replaces_what_is_given_alone(self, backend: Backend) -> None:
        await done(backend, created(messages=[said("m1", model="old"), said("m2")]))
        before = await messages_of(backend)
        edit = EditMessage(
            Sequence(1),
            status=MessageStatus.FAILED,
            model="new",
            usage={"output": 3},
            metadata={"why": "cut"},
        )
        await done(backend, changed(edit, at=5))
        after = await messages_of(backend)
        assert after[0] == replace(
            before[0],
            status=MessageStatus.FAILED,
            model="new",
            usage={"output": 3},
            metadata={"why": "cut"},
            edited_at=moment(5),
        )
        assert after[1] == before[1]
        (event,) = await events_of(backend, after=3)
        assert (event.kind, event.sequence, event.message) == (
            EventKind.MESSAGE_EDITED,
            1,
            after[0],
        )

    async def test_editing_words_takes_their_preview_over(self, backend: Backend) -> None:
        await done(backend, created(messages=numbered(2)))
        words = (TextPart("rewritten"),)
        await done(backend, changed(EditMessage(Sequence(2), parts=words, preview="re…"), at=5))
        assert await texts_of(backend) == ["m1", "rewritten"]
        session = await session_of(backend)
        assert (session.preview, session.updated_at) == ("re…", moment(5))
        assert session.last_message_at == moment(0)
        await done(backend, changed(EditMessage(Sequence(2), parts=words), at=6))
        assert (await session_of(backend)).preview == "m1"

    async def test_deleting_a_message_lowers_the_counters(self, backend: Backend) -> None:
        messages = [said(f"m{at}", created_at=moment(at)) for at in (1, 2, 3)]
        await done(backend, created(messages=messages))
        committed = await done(backend, changed(DeleteMessage(Sequence(3)), at=9))
        session = await session_of(backend)
        assert committed.affected == 1
        assert (session.message_count, session.preview) == (2, "m2")
        assert (session.last_message_at, session.last_activity_at) == (moment(2), moment(2))
        assert session.last_sequence == 3
        (event,) = await events_of(backend, after=4)
        assert (event.kind, event.sequence, event.message) == (EventKind.MESSAGE_DELETED, 3, None)
        assert await backend.get_messages([message_id(3)], EVERYTHING) == {}

    async def test_deleting_the_last_message_leaves_an_empty_session(
        self, backend: Backend
    ) -> None:
        await done(backend, created(messages=numbered(1), at=2))
        await done(backend, changed(DeleteMessage(Sequence(1)), at=9))
        session = await session_of(backend)
        assert (session.message_count, session.preview, session.last_message_at) == (0, None, None)
        assert session.last_activity_at == moment(2)

    async def test_truncating_deletes_all_that_follows(self, backend: Backend) -> None:
        await done(backend, created(messages=numbered(6)))
        await done(backend, changed(ArchiveMessages(Sequence(4)), at=1))
        committed = await done(backend, changed(TruncateMessages(Sequence(2)), at=2))
        session = await session_of(backend)
        assert committed.affected == 4
        assert await texts_of(backend) == ["m1", "m2"]
        assert (session.message_count, session.archived_message_count) == (2, 2)
        assert (session.preview, session.last_sequence) == ("m2", 6)
        (event,) = await events_of(backend, after=8)
        assert (event.kind, event.data) == (
            EventKind.MESSAGES_TRUNCATED,
            {"after": 2, "count": 4},
        )

    async def test_truncating_after_nothing_empties_the_session(self, backend: Backend) -> None:
        await done(backend, created(messages=numbered(3)))
        committed = await done(backend, changed(TruncateMessages(Sequence(0))))
        session = await session_of(backend)
        assert (committed.affected, await texts_of(backend)) == (3, [])
        assert (session.message_count, session.preview, session.last_message_at) == (0, None, None)

    async def test_archiving_messages_takes_the_active_ones_up_to_one(
        self, backend: Backend
    ) -> None:
        await done(backend, created(messages=numbered(5)))
        first = await done(backend, changed(ArchiveMessages(Sequence(2)), at=5))
        second = await done(backend, changed(ArchiveMessages(Sequence(4)), at=6))
        again = await done(backend, changed(ArchiveMessages(Sequence(3)), at=7))
        assert (first.affected, second.affected, again.affected) == (2, 2, 0)
        archived = [message.archived_at for message in await messages_of(backend)]
        assert archived == [moment(5), moment(5), moment(6), moment(6), None]
        session = await session_of(backend)
        assert (session.message_count, session.archived_message_count) == (5, 4)
        assert session.updated_at == moment(6)
        assert await texts_of(backend, scope=MessageScope.ACTIVE) == ["m5"]
        assert await texts_of(backend, scope=MessageScope.ARCHIVED) == ["m1", "m2", "m3", "m4"]
        events = await events_of(backend, after=6)
        assert [(event.kind, event.data) for event in events] == [
            (EventKind.MESSAGES_ARCHIVED, {"through": 2, "count": 2}),
            (EventKind.MESSAGES_ARCHIVED, {"through": 4, "count": 2}),
        ]

    async def test_deleting_an_archived_message_lowers_both_counters(
        self, backend: Backend
    ) -> None:
        await done(backend, created(messages=numbered(4)))
        await done(backend, changed(ArchiveMessages(Sequence(2)), at=1))
        await done(backend, changed(DeleteMessage(Sequence(2)), DeleteMessage(Sequence(3)), at=2))
        session = await session_of(backend)
        assert (session.message_count, session.archived_message_count) == (2, 1)

    async def test_replacing_all_messages_is_one_commit(self, backend: Backend) -> None:
        await done(backend, created(messages=numbered(3)))
        replacement = changed(
            TruncateMessages(Sequence(0)), AddMessages((said("new1"), said("new2"))), at=5
        )
        committed = await done(backend, replacement)
        assert (committed.affected, committed.sequences) == (3, range(4, 6))
        assert [(m.sequence, m.text) for m in await messages_of(backend)] == [
            (4, "new1"),
            (5, "new2"),
        ]
        session = await session_of(backend)
        assert (session.message_count, session.preview) == (2, "new2")

    async def test_a_commit_sees_its_own_changes(self, backend: Backend) -> None:
        await done(backend, created(messages=numbered(1)))
        committed = await done(
            backend,
            changed(
                AddMessages((said("m2"), said("m3"))),
                EditMessage(Sequence(2), parts=(TextPart("edited"),), preview="edited"),
                DeleteMessage(Sequence(3)),
                ArchiveMessages(Sequence(2)),
                at=5,
            ),
        )
        session = await session_of(backend)
        assert committed.session == session
        assert (session.message_count, session.archived_message_count) == (2, 2)
        assert (session.preview, session.last_sequence, session.revision) == ("edited", 3, 7)
        assert await texts_of(backend, scope=MessageScope.ARCHIVED) == ["m1", "edited"]

    async def test_a_deleted_session_is_gone_with_everything(self, backend: Backend) -> None:
        await done(backend, created(messages=numbered(3)))
        committed = await done(backend, changed(DeleteSession(), at=5))
        assert (committed.session, committed.affected) == (None, 3)
        assert committed.position.revision == 5
        assert await backend.get_sessions([FIRST], EVERYTHING) == {}
        ids = [message_id(number) for number in (1, 2, 3)]
        assert await backend.get_messages(ids, EVERYTHING) == {}

    @pytest.mark.parametrize("changes", NO_OPS, ids=str)
    async def test_a_change_that_changes_nothing_leaves_no_event(
        self, backend: Backend, changes: tuple[Change, ...]
    ) -> None:
        await done(backend, created(title="Title", metadata={"a": 1}, messages=numbered(3)))
        before = await records_of(backend)
        committed = await done(backend, changed(*changes, at=50))
        assert committed.position.revision == Revision(4)
        assert (committed.sequences, committed.affected) == (range(0), 0)
        assert await records_of(backend) == before

    @pytest.mark.parametrize(
        "change",
        [
            EditMessage(Sequence(4), model="x"),
            DeleteMessage(Sequence(4)),
            DeleteMessage(Sequence(2)),
            TruncateMessages(Sequence(4)),
            TruncateMessages(Sequence(2)),
            ArchiveMessages(Sequence(4)),
            ArchiveMessages(Sequence(2)),
        ],
        ids=str,
    )
    async def test_a_message_that_is_not_there_is_not_found(
        self, backend: Backend, change: Change
    ) -> None:
        await done(backend, created(messages=numbered(3)))
        await done(backend, changed(DeleteMessage(Sequence(2))))
        before = await records_of(backend)
        assert isinstance(await outcome_of(backend, changed(change)), NotFound)
        assert await records_of(backend) == before
