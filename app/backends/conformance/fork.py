"""A fork is a session of its own that holds what was said before it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from app.backends.conformance.changes import EVERY_PART, METADATA
from app.backends.conformance.samples import (
    ABSENT,
    FIRST,
    SECOND,
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
    CopyMessages,
    DeleteMessage,
    DeleteSession,
    EditMessage,
    TruncateMessages,
)
from app.model.errors import NotFound
from app.model.events import EventKind
from app.model.identifiers import Sequence, SessionId, UserId
from app.model.message import MessageRole, MessageScope, MessageStatus, NewMessage, Sender
from app.model.parts import TextPart


def forked(
    *after: Change, source: SessionId = FIRST, through: int | None = None, at: int = 20
) -> Commit:
    """Returns a commit that makes the second session as a fork of another."""
    creation = created(SECOND, forked_from=message_id(through or 0, source), at=at)
    copy = CopyMessages(source, None if through is None else Sequence(through))
    return Commit(SECOND, (*creation.changes, copy, *after), creation.at)


async def rich_session(backend: Backend) -> None:
    """Makes the messages 1 2 4 5 of the first session; 1 and 2 are archived, 4 is edited."""
    rich = NewMessage(
        MessageRole.ASSISTANT,
        EVERY_PART,
        preview="rich",
        status=MessageStatus.CANCELED,
        sender=Sender("Ada", UserId("ada")),
        model="model-1",
        usage={"input": 3},
        metadata=METADATA,
        created_at=moment(1),
    )
    await done(backend, created(messages=[rich, *numbered(4, start=2)]))
    await done(backend, changed(ArchiveMessages(Sequence(2)), DeleteMessage(Sequence(3)), at=2))
    edit = EditMessage(Sequence(4), parts=(TextPart("edited"),), preview="edited")
    await done(backend, changed(edit, at=3))


class ForkTests(BackendTests):
    """Copies of messages in a new session."""

    async def test_a_fork_holds_every_message_whole(self, backend: Backend) -> None:
        await rich_session(backend)
        source = await messages_of(backend)
        committed = await done(backend, forked())
        copies = await messages_of(backend, SECOND)
        assert copies == tuple(replace(message, session_id=SECOND) for message in source)
        assert [message.sequence for message in copies] == [1, 2, 4, 5]
        assert [message.archived_at for message in copies[:3]] == [moment(2), moment(2), None]
        assert (committed.affected, committed.sequences) == (4, range(0))

    async def test_a_fork_counts_and_tells_as_if_all_were_added(self, backend: Backend) -> None:
        await rich_session(backend)
        committed = await done(backend, forked())
        session = await session_of(backend, SECOND)
        assert committed.session == session
        assert (session.message_count, session.archived_message_count) == (4, 2)
        assert (session.last_sequence, session.preview, session.revision) == (5, "m5", 5)
        assert session.forked_from == message_id(0)
        assert session.last_message_at == (await session_of(backend)).last_message_at
        events = await events_of(backend, SECOND)
        assert [(event.kind, event.sequence, event.at) for event in events] == [
            (EventKind.SESSION_CREATED, None, moment(20)),
            *((EventKind.MESSAGE_ADDED, number, moment(20)) for number in (1, 2, 4, 5)),
        ]
        copies = await messages_of(backend, SECOND)
        assert tuple(event.message for event in events[1:]) == copies

    @pytest.mark.parametrize(
        ("through", "texts", "archived"), [(1, 1, 1), (2, 2, 2), (4, 3, 2), (5, 4, 2)]
    )
    async def test_a_fork_ends_where_it_is_told(
        self, backend: Backend, through: int, texts: int, archived: int
    ) -> None:
        await rich_session(backend)
        committed = await done(backend, forked(through=through))
        session = await session_of(backend, SECOND)
        assert committed.affected == texts
        assert (session.message_count, session.archived_message_count) == (texts, archived)
        assert session.last_sequence == through
        added = await done(backend, changed(AddMessages((said("on"),)), session_id=SECOND, at=30))
        assert added.sequences == range(through + 1, through + 2)
        active = await messages_of(backend, SECOND, MessageScope.ACTIVE)
        kept = [number for number in (4, 5) if number <= through]
        assert [message.sequence for message in active] == [*kept, through + 1]

    async def test_a_fork_can_say_more_in_the_same_commit(self, backend: Backend) -> None:
        await rich_session(backend)
        committed = await done(backend, forked(AddMessages((said("on"),)), through=4))
        assert committed.sequences == range(5, 6)
        assert (await texts_of(backend, SECOND))[-2:] == ["edited", "on"]
        assert (await session_of(backend, SECOND)).preview == "on"

    async def test_source_and_fork_go_their_own_ways(self, backend: Backend) -> None:
        await rich_session(backend)
        before = await records_of(backend)
        await done(backend, forked())
        changes = (TruncateMessages(Sequence(1)), AddMessages((said("fork only"),)))
        await done(backend, changed(*changes, session_id=SECOND, at=30))
        mine = [one for one in await records_of(backend) if one in before]
        assert mine == before
        fork = await messages_of(backend, SECOND)
        await done(backend, changed(DeleteSession(), at=40))
        assert await messages_of(backend, SECOND) == fork

    async def test_a_fork_of_nothing_said_is_an_empty_session(self, backend: Backend) -> None:
        await done(backend, created())
        committed = await done(backend, forked())
        assert (committed.affected, committed.position.revision) == (0, 1)
        assert await texts_of(backend, SECOND) == []

    async def test_the_archive_of_a_fork_goes_on_where_it_was(self, backend: Backend) -> None:
        await rich_session(backend)
        await done(backend, forked())
        archived = await done(
            backend, changed(ArchiveMessages(Sequence(4)), session_id=SECOND, at=30)
        )
        assert archived.affected == 1
        assert len(await texts_of(backend, SECOND, MessageScope.ARCHIVED)) == 3
        assert await texts_of(backend, SECOND, MessageScope.ACTIVE) == ["m5"]
        assert await texts_of(backend, FIRST, MessageScope.ACTIVE) == ["edited", "m5"]

    async def test_an_absent_or_deleted_source_is_not_found(self, backend: Backend) -> None:
        await rich_session(backend)
        await done(backend, changed(DeleteSession(), at=10))
        before = await records_of(backend)
        for source in (FIRST, SECOND, ABSENT):
            assert isinstance(await outcome_of(backend, forked(source=source)), NotFound)
        assert await records_of(backend) == before
        assert await backend.get_sessions([SECOND], EVERYTHING) == {}

    async def test_a_fork_through_a_message_that_is_not_there_is_not_found(
        self, backend: Backend
    ) -> None:
        await rich_session(backend)
        before = await records_of(backend)
        for through in (3, 6):
            assert isinstance(await outcome_of(backend, forked(through=through)), NotFound)
        assert await records_of(backend) == before
