"""The log is the truth: gapless, and enough to follow a session by."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace

from app.backends.conformance.samples import (
    ABSENT,
    EPOCH,
    FIRST,
    OTHER_EPOCH,
    SECOND,
    all_done,
    changed,
    created,
    done,
    events_of,
    log_of,
    messages_of,
    moment,
    number_id,
    numbered,
    said,
    session_of,
)
from app.backends.conformance.subject import BackendTests
from app.backends.protocol import EVERYTHING, Backend
from app.model.changes import (
    AddMessages,
    ArchiveMessages,
    ArchiveSession,
    Commit,
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
from app.model.events import Event, EventKind, LogRead, LogSlice
from app.model.identifiers import Epoch, Position, Revision, Sequence, SessionId
from app.model.message import Message
from app.model.parts import TextPart

MARKS = {
    EventKind.SESSION_RENAMED: "title",
    EventKind.SESSION_PINNED: "pinned_at",
    EventKind.SESSION_STARRED: "starred_at",
    EventKind.SESSION_ARCHIVED: "archived_at",
    EventKind.SESSION_METADATA_SET: "metadata",
}

STORY: tuple[Commit, ...] = (
    changed(AddMessages(numbered(4)), at=1),
    changed(RenameSession("Story"), PinSession(True), at=2),
    changed(EditMessage(Sequence(2), parts=(TextPart("two"),), preview="two"), at=3),
    changed(ArchiveMessages(Sequence(2)), StarSession(True), at=4),
    changed(DeleteMessage(Sequence(1)), SetMetadata({"chapter": 1}), at=5),
    changed(AddMessages((said("m5"), said("m6"))), at=6),
    changed(TruncateMessages(Sequence(4)), ArchiveSession(True), at=7),
    changed(EditMessage(Sequence(4), model="model-2"), PinSession(False), at=8),
    changed(AddMessages((said("m7"),)), at=9),
    changed(DeleteMessage(Sequence(7)), RenameSession(None), at=10),
    changed(AddMessages((said("m8"),)), ArchiveMessages(Sequence(8)), at=11),
    changed(TruncateMessages(Sequence(0)), AddMessages((said("m9"),)), at=12),
)


@dataclass
class Follower:
    """A reader who holds a state of the first session and applies events to it."""

    fields: dict[str, Any]
    messages: dict[int, Message] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        """Applies one event as `app.model.events` describes it."""
        name = MARKS.get(event.kind)
        if name is not None:
            self.fields[name] = event.data[name]
        elif event.kind in (EventKind.MESSAGE_ADDED, EventKind.MESSAGE_EDITED):
            assert event.sequence is not None
            if event.message is not None:
                self.messages[event.sequence] = event.message
        elif event.kind is EventKind.MESSAGE_DELETED:
            assert event.sequence is not None
            self.messages.pop(event.sequence, None)
        elif event.kind is EventKind.MESSAGES_TRUNCATED:
            after = event.data["after"]
            self.messages = {at: one for at, one in self.messages.items() if at <= after}
        elif event.kind is EventKind.MESSAGES_ARCHIVED:
            for at, one in self.messages.items():
                if at <= event.data["through"] and one.archived_at is None:
                    self.messages[at] = replace(one, archived_at=event.at)


async def follower_of(backend: Backend) -> Follower:
    """Returns a follower that holds the present state of the first session."""
    session = await session_of(backend)
    messages = {int(message.sequence): message for message in await messages_of(backend)}
    return Follower({name: getattr(session, name) for name in MARKS.values()}, messages)


class LogTests(BackendTests):
    """Reading slices of logs."""

    @pytest.mark.parametrize("start", range(len(STORY)))
    async def test_an_old_state_and_the_events_since_give_the_present_state(
        self, backend: Backend, start: int
    ) -> None:
        await done(backend, created(title="Draft"))
        for commit in STORY[:start]:
            await done(backend, commit)
        follower = await follower_of(backend)
        position = (await session_of(backend)).position
        for commit in STORY[start:]:
            await done(backend, commit)
        for event in (await log_of(backend, after=position)).events:
            follower.apply(event)
        assert follower == await follower_of(backend)

    async def test_a_follower_of_every_event_is_never_astray(self, backend: Backend) -> None:
        await done(backend, created(title="Draft"))
        follower = await follower_of(backend)
        for commit in STORY:
            position = (await session_of(backend)).position
            await done(backend, commit)
            for event in (await log_of(backend, after=position)).events:
                follower.apply(event)
            assert follower == await follower_of(backend)

    @pytest.mark.parametrize("size", [1, 2, 5, 100])
    async def test_slices_of_every_size_give_the_whole_log(
        self, backend: Backend, size: int
    ) -> None:
        await done(backend, created())
        await all_done(backend, *STORY)
        whole = await log_of(backend)
        assert [event.revision for event in whole.events] == list(range(1, whole.top.revision + 1))
        read: list[Event] = []
        position: Position | None = None
        while len(read) < len(whole.events):
            part = await log_of(backend, after=position, limit=size)
            assert part.events == whole.events[len(read) : len(read) + size]
            assert (part.top, part.gap) == (whole.top, False)
            read.extend(part.events)
            position = Position(EPOCH, part.events[-1].revision)
        assert (await log_of(backend, after=position, limit=size)).events == ()

    async def test_the_end_of_the_log_comes_with_the_read(self, backend: Backend) -> None:
        committed = await done(backend, created(messages=numbered(3)))
        end = await log_of(backend, after=committed.position)
        assert end == LogSlice((), committed.position, gap=False)
        first = await log_of(backend, after=Position(EPOCH, Revision(0)), limit=1)
        assert [event.revision for event in first.events] == [1]
        assert first.top == committed.position == (await session_of(backend)).position

    @pytest.mark.parametrize(
        ("epoch", "revision"), [(OTHER_EPOCH, 0), (OTHER_EPOCH, 2), (EPOCH, 5), (EPOCH, 999)]
    )
    async def test_a_position_of_another_life_or_past_the_end_is_a_gap(
        self, backend: Backend, epoch: Epoch, revision: int
    ) -> None:
        committed = await done(backend, created(messages=numbered(3)))
        answer = await log_of(backend, after=Position(epoch, Revision(revision)))
        assert answer == LogSlice((), committed.position, gap=True)

    async def test_an_event_shows_its_message_as_it_is_now(self, backend: Backend) -> None:
        await done(backend, created(messages=numbered(3)))
        await done(backend, changed(EditMessage(Sequence(1), parts=(TextPart("new"),)), at=1))
        await done(backend, changed(DeleteMessage(Sequence(2)), at=2))
        first, third = await messages_of(backend)
        told = [(event.sequence, event.message) for event in await events_of(backend)]
        assert told == [(None, None), (1, first), (2, None), (3, third), (1, first), (2, None)]

    async def test_deleted_words_are_gone_from_the_log(self, backend: Backend) -> None:
        await done(backend, created(messages=[said("a secret"), said("another secret")]))
        await done(backend, changed(EditMessage(Sequence(1), parts=(TextPart("-"),)), at=1))
        await done(backend, changed(DeleteMessage(Sequence(2)), at=2))
        assert "secret" not in repr(await log_of(backend))

    async def test_events_carry_the_time_of_their_commit(self, backend: Backend) -> None:
        await done(backend, created(messages=[said("m1", created_at=moment(70))], at=5))
        await done(backend, changed(PinSession(True), at=9))
        times = [event.at for event in await events_of(backend)]
        assert times == [moment(5), moment(5), moment(9)]

    async def test_a_deleted_session_leaves_its_deletion_alone(self, backend: Backend) -> None:
        before = await done(backend, created(messages=[said("a secret")]))
        deleted = await done(backend, changed(DeleteSession(), at=5))
        last = Event(
            FIRST, Revision(3), EventKind.SESSION_DELETED, moment(5), None, {}, message=None
        )
        expected = LogSlice((last,), Position(EPOCH, Revision(3)), gap=False)
        assert deleted.position == expected.top
        assert await log_of(backend) == expected
        assert await log_of(backend, after=Position(EPOCH, Revision(0))) == expected
        assert await log_of(backend, after=before.position) == expected

    async def test_the_log_of_a_new_life_does_not_take_positions_of_the_old(
        self, backend: Backend
    ) -> None:
        old = await done(backend, created(messages=numbered(3)))
        await done(backend, changed(DeleteSession()))
        new = await done(backend, created(epoch=OTHER_EPOCH, messages=numbered(5), at=5))
        assert await log_of(backend, after=old.position) == LogSlice((), new.position, gap=True)
        assert len((await log_of(backend)).events) == 6

    async def test_one_call_reads_many_logs(self, backend: Backend) -> None:
        ids = [number_id(number) for number in range(1, 31)]
        await all_done(
            backend,
            *(created(session_id, messages=numbered(n % 4)) for n, session_id in enumerate(ids)),
        )
        reads = [LogRead(session_id, None, 2) for session_id in ids]
        reads += [LogRead(session_id, Position(EPOCH, Revision(1)), 10) for session_id in ids]
        reads += [LogRead(ids[0], Position(OTHER_EPOCH, Revision(1)), 10), LogRead(ABSENT, None, 1)]
        answers = await backend.read_logs(reads, EVERYTHING)
        assert set(answers) == set(reads[:-1])
        for number, session_id in enumerate(ids):
            expected = await log_of(backend, session_id)
            head, tail = (
                answers[read]
                for read in reads
                if read.session_id == session_id and read in reads[:60]
            )
            assert head == LogSlice(expected.events[:2], expected.top, gap=False)
            assert tail == LogSlice(expected.events[1:], expected.top, gap=False), number
        assert answers[reads[60]] == LogSlice((), Position(EPOCH, Revision(1)), gap=True)
        assert await backend.read_logs([], EVERYTHING) == {}

    async def test_a_reader_beside_writers_meets_each_revision_once(self, backend: Backend) -> None:
        await done(backend, created())

        async def write(task: int) -> None:
            for turn in range(10):
                await done(backend, changed(AddMessages((said(f"{task}:{turn}"),)), at=1))

        writers = asyncio.gather(*(write(task) for task in range(4)))
        read = 0
        while read < 41:
            over = writers.done()
            part = await log_of(backend, after=Position(EPOCH, Revision(read)), limit=3)
            expected = range(read + 1, min(read + 3, part.top.revision) + 1)
            assert [event.revision for event in part.events] == list(expected)
            assert not part.gap
            assert part.events or not over, "the log ends before what was written"
            read += len(part.events)
            await asyncio.sleep(0)
        await writers

    async def test_a_fork_has_a_log_of_its_own(self, backend: Backend) -> None:
        await done(backend, created(messages=numbered(2)))
        creation = created(SECOND, epoch=OTHER_EPOCH, at=5)
        fork = Commit(SECOND, (*creation.changes, CopyMessages(FIRST)), creation.at)
        await done(backend, fork)
        log = await log_of(backend, SECOND)
        assert log.top == Position(OTHER_EPOCH, Revision(3))
        ids: set[SessionId] = {event.session_id for event in log.events}
        assert ids == {SECOND}
