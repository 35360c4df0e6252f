"""Backends with one defect each, of the kind that storage code has been seen to have.

A class is the reference model with one thing wrong, and says which test of the kit must turn red.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from app.backends.protocol import EVERYTHING, Found, Scope
from app.model.changes import Commit, Committed
from app.model.errors import Conflict, NotFound, ScrollbackError
from app.model.events import Event, EventKind, LogRead, LogSlice
from app.model.identifiers import MessageId, Revision, SessionId, SessionKey, UserId
from app.model.identifiers import Sequence as Number
from app.model.message import Message
from app.model.paging import (
    MessagePageRequest,
    Page,
    SessionBound,
    SessionPageRequest,
    Take,
    title_order,
)
from app.model.records import Damage, Deletion, IdempotencyRecord, Loaded, Record
from app.model.session import Session, User
from app.model.timestamps import Timestamp
from tests.conformance.reference import ReferenceBackend
from tests.conformance.reference_session import StoredSession


class PlantedBug(ReferenceBackend):
    """A reference model with a defect.

    `red` names the test of the kit that must fail, in one of its cases at least. `in_session`
    replaces methods of the model's sessions.
    """

    red: ClassVar[str]
    in_session: ClassVar[Mapping[str, Callable[..., Any]]] = {}


class FlagByCount(PlantedBug):
    """Takes a full page for a sign that there is more."""

    red = "test_every_window_holds_what_lies_in_it"

    def page_of_messages(self, stored: StoredSession, request: MessagePageRequest) -> Page[Message]:
        page = super().page_of_messages(stored, request)
        return replace(page, has_next=len(page.items) == request.window.limit)


class FlagsOfTheWindowAlone(PlantedBug):
    """Says that nothing is before a page that was asked for with `after`."""

    red = "test_every_order_has_exact_windows_from_both_ends"

    def page_of_sessions(
        self, sessions: list[Session], request: SessionPageRequest
    ) -> Page[Session]:
        page = super().page_of_sessions(sessions, request)
        return replace(page, has_previous=page.has_previous and request.window.after is None)


class InclusiveBound(PlantedBug):
    """Answers the message of the cursor again."""

    red = "test_walking_meets_every_message_once"

    def page_of_messages(self, stored: StoredSession, request: MessagePageRequest) -> Page[Message]:
        window = request.window
        if window.after:
            window = replace(window, after=Number(window.after - 1))
        return super().page_of_messages(stored, replace(request, window=window))


class NewestFirst(PlantedBug):
    """Answers a page taken from the end in the order in which it was read."""

    red = "test_walking_meets_every_message_once"

    def page_of_messages(self, stored: StoredSession, request: MessagePageRequest) -> Page[Message]:
        page = super().page_of_messages(stored, request)
        if request.window.take is Take.LAST:
            return replace(page, items=tuple(reversed(page.items)))
        return page


class TiesLost(PlantedBug):
    """Compares cursors of sessions by their value alone."""

    red = "test_walking_meets_every_session_once"

    def page_of_sessions(
        self, sessions: list[Session], request: SessionPageRequest
    ) -> Page[Session]:
        window = request.window
        if window.after is not None:
            after = SessionBound(window.after.value, SessionId(""))
            request = replace(request, window=replace(window, after=after))
        return super().page_of_sessions(sessions, request)


class PatternInTitle(PlantedBug):
    """Hands the words searched for to LIKE as they are."""

    red = "test_every_filter_answers_what_passes_it"

    def page_of_sessions(
        self, sessions: list[Session], request: SessionPageRequest
    ) -> Page[Session]:
        if title_order(request.filter.title) == "%":
            request = replace(request, filter=replace(request.filter, title=None))
        return super().page_of_sessions(sessions, request)


class KeysFolded(PlantedBug):
    """Compares keys without regard to case, as some collations do."""

    red = "test_a_key_that_is_only_similar_finds_nothing"

    async def find_sessions(
        self, keys: Collection[SessionKey], scope: Scope
    ) -> Found[SessionKey, Session]:
        visible = {
            SessionKey(one.owner_id, one.key.casefold()): one
            for one in self.visible_sessions(scope)
        }
        folded = {key: SessionKey(key.owner_id, key.key.casefold()) for key in keys}
        return {key: visible[fold] for key, fold in folded.items() if fold in visible}


class ScopeIgnoredByMessages(PlantedBug):
    """Answers messages by id to anyone."""

    red = "test_messages_of_others_are_absent"

    async def get_messages(
        self, ids: Collection[MessageId], scope: Scope
    ) -> Found[MessageId, Message]:
        return await super().get_messages(ids, EVERYTHING)


class ScopeIgnoredByKeys(PlantedBug):
    """Finds sessions of any owner by key."""

    red = "test_keys_of_others_find_nothing"

    async def find_sessions(
        self, keys: Collection[SessionKey], scope: Scope
    ) -> Found[SessionKey, Session]:
        return await super().find_sessions(keys, EVERYTHING)


class ScopeIgnoredByLogs(PlantedBug):
    """Lets anyone watch any session."""

    red = "test_logs_of_others_are_absent"

    async def read_logs(self, reads: Collection[LogRead], scope: Scope) -> Found[LogRead, LogSlice]:
        return await super().read_logs(reads, EVERYTHING)


class ScopeIgnoredByUsers(PlantedBug):
    """Answers any user to anyone."""

    red = "test_an_owner_sees_only_themselves_among_users"

    async def get_users(self, ids: Collection[UserId], scope: Scope) -> Found[UserId, User]:
        return await super().get_users(ids, EVERYTHING)


class ScopeIgnoredByWrites(PlantedBug):
    """Writes to sessions of any owner."""

    red = "test_a_write_to_an_unowned_session_needs_the_wider_scope"

    async def commit_one(self, commit: Commit, scope: Scope) -> Committed:
        return await super().commit_one(commit, EVERYTHING)


class ScopeIgnoredByCopies(PlantedBug):
    """Looks the source of a fork up without regard to who asks."""

    red = "test_nothing_is_copied_from_a_foreign_session"

    def access(self, session_id: SessionId, scope: Scope) -> StoredSession | None:
        own = super().access(session_id, scope)
        return own or super().access(session_id, EVERYTHING)


class ForeignTold(PlantedBug):
    """Words the refusal of a foreign session otherwise than that of an absent one."""

    red = "test_a_write_to_a_foreign_session_is_refused_as_to_an_absent_one"

    async def commit_one(self, commit: Commit, scope: Scope) -> Committed:
        if commit.session_id in self.store.sessions and not self.access(commit.session_id, scope):
            raise NotFound("this session is of somebody else")
        return await super().commit_one(commit, scope)


class ConflictBeforeScope(PlantedBug):
    """Compares the expected revision before it looks whose session it is."""

    red = "test_expectations_and_attempts_betray_no_foreign_session"

    async def commit_one(self, commit: Commit, scope: Scope) -> Committed:
        stored = self.store.sessions.get(commit.session_id)
        if stored and commit.expected not in (None, stored.revision):
            raise Conflict("the session has changed")
        return await super().commit_one(commit, scope)


def number_from_messages(self: StoredSession) -> StoredSession:
    copy = replace(
        self,
        messages=dict(self.messages),
        events=list(self.events),
        replays=dict(self.replays),
        starting_revision=self.revision,
        numbered=[],
        affected=0,
    )
    if copy.session is not None:
        last = max(copy.messages, default=Number(0))
        copy.session = replace(copy.session, last_sequence=last)
    return copy


class NumberReused(PlantedBug):
    """Numbers a message one higher than the highest that is there."""

    red = "test_numbers_of_deleted_messages_are_never_given_again"
    in_session: ClassVar = {"copy": number_from_messages}


class LateNumber(PlantedBug):
    """Reads a session, waits, then writes it: two at once get the same number."""

    red = "test_concurrent_writers_of_one_session_get_each_number_once"

    async def commit_one(self, commit: Commit, scope: Scope) -> Committed:
        stored = self.access(commit.session_id, scope)
        read = stored.copy() if stored else None
        await asyncio.sleep(0)
        if read is not None:
            self.store.sessions[commit.session_id] = read
        return await super().commit_one(commit, scope)


class EventForNothing(PlantedBug):
    """Tells of a new title even where it is the old one."""

    red = "test_a_change_that_changes_nothing_leaves_no_event"

    @staticmethod
    def set_field(
        self: StoredSession, kind: EventKind, name: str, value: Any, at: Timestamp
    ) -> None:
        if self.session is not None:
            self.session = replace(self.session, **{name: value})
            self.tell(kind, at, data={name: value})

    in_session: ClassVar = {"set_field": set_field}


class SilentArchive(PlantedBug):
    """Archives a session without an event."""

    red = "test_an_old_state_and_the_events_since_give_the_present_state"

    @staticmethod
    def set_mark(
        self: StoredSession, kind: EventKind, name: str, wanted: bool, at: Timestamp
    ) -> None:
        if name == "archived_at" and self.session is not None:
            self.session = replace(self.session, archived_at=at if wanted else None)
        elif (getattr(self.session, name) is not None) is not wanted:
            self.set_field(kind, name, at if wanted else None, at)

    in_session: ClassVar = {"set_mark": set_mark}


class CounterKept(PlantedBug):
    """Does not lower the counter when a message is deleted."""

    red = "test_deleting_a_message_lowers_the_counters"
    original = StoredSession.recounted

    @staticmethod
    def recounted(self: StoredSession) -> Session | None:
        session = CounterKept.original(self)
        if session is None or self.session is None:
            return session
        most = max(session.message_count, self.session.message_count)
        return replace(session, message_count=most)

    in_session: ClassVar = {"recounted": recounted}


class RevisionSkipped(PlantedBug):
    """Leaves a number out of the log after a truncation."""

    red = "test_a_follower_of_every_event_is_never_astray"
    original = StoredSession.truncate

    @staticmethod
    def truncate(self: StoredSession, after: Number, at: Timestamp) -> None:
        RevisionSkipped.original(self, after, at)
        self.revision = Revision(self.revision + 1)

    in_session: ClassVar = {"truncate": truncate}


class ReplayRunsAgain(PlantedBug):
    """Carries a repeated attempt out a second time."""

    red = "test_an_attempt_repeated_gives_the_first_result"

    def replay(self, stored: StoredSession | None, commit: Commit) -> Committed | None:
        return None


class DigestIgnored(PlantedBug):
    """Takes any request with a known key for a repetition."""

    red = "test_an_attempt_for_another_request_is_a_conflict"

    def replay(self, stored: StoredSession | None, commit: Commit) -> Committed | None:
        attempted = commit.idempotency
        if stored and attempted and attempted.key in stored.replays:
            known = stored.replays[attempted.key].idempotency
            commit = replace(commit, idempotency=known)
        return super().replay(stored, commit)


class ExpectationBeforeReplay(PlantedBug):
    """Refuses a repeated attempt since its own first time has moved the revision."""

    red = "test_a_repeated_attempt_does_not_mind_that_the_revision_has_moved"

    async def commit_one(self, commit: Commit, scope: Scope) -> Committed:
        stored = self.access(commit.session_id, scope)
        if stored and commit.expected not in (None, stored.revision):
            raise Conflict("the session has changed", stored.session)
        return await super().commit_one(commit, scope)


class ExpectationIgnored(PlantedBug):
    """Lets the last writer win."""

    red = "test_expected_is_the_revision_that_must_be"

    async def commit_one(self, commit: Commit, scope: Scope) -> Committed:
        return await super().commit_one(replace(commit, expected=None), scope)


class FailedAttemptRemembered(PlantedBug):
    """Keeps the idempotency key of a commit that failed."""

    red = "test_a_commit_that_fails_leaves_nothing_of_itself"

    async def commit_one(self, commit: Commit, scope: Scope) -> Committed:
        try:
            return await super().commit_one(commit, scope)
        except NotFound:
            stored = self.access(commit.session_id, scope)
            if stored and commit.idempotency:
                stored.replays[commit.idempotency.key] = IdempotencyRecord(
                    stored.session_id,
                    commit.idempotency,
                    stored.revision,
                    range(0),
                    0,
                    commit.at,
                )
            raise


class NotAtomic(PlantedBug):
    """Writes each change as it comes, so that those before a failing one stay."""

    red = "test_a_commit_that_fails_leaves_nothing_of_itself"
    in_session: ClassVar = {"copy": lambda self: replace(self, numbered=[], affected=0)}

    async def commit_one(self, commit: Commit, scope: Scope) -> Committed:
        stored = self.access(commit.session_id, scope)
        try:
            return await super().commit_one(commit, scope)
        finally:
            if stored and stored.session:
                stored.revision = Revision(len(stored.events))
                stored.session = stored.recounted()


class SiblingsAbandoned(PlantedBug):
    """Gives up the rest of a call at the first commit that is refused."""

    red = "test_siblings_of_a_failing_commit_are_carried_out"

    async def commit(
        self, commits: Sequence[Commit], scope: Scope
    ) -> Sequence[Committed | ScrollbackError]:
        outcomes: list[Committed | ScrollbackError] = []
        for commit in commits:
            if outcomes and isinstance(outcomes[-1], ScrollbackError):
                outcomes.append(outcomes[-1])
            else:
                outcomes.extend(await super().commit([commit], scope))
        return outcomes


class DeletedSessionWritten(PlantedBug):
    """Adds to the log of a session that is deleted."""

    red = "test_a_write_to_a_deleted_session_is_not_found_and_leaves_nothing"

    async def commit_one(self, commit: Commit, scope: Scope) -> Committed:
        stored = self.access(commit.session_id, scope)
        if stored and stored.session is None and commit.idempotency is not None:
            stored.tell(EventKind.SESSION_RENAMED, commit.at)
        return await super().commit_one(commit, scope)


class EpochIgnored(PlantedBug):
    """Compares positions of different lives of a session."""

    red = "test_the_log_of_a_new_life_does_not_take_positions_of_the_old"

    def slice_of_log(self, stored: StoredSession, read: LogRead) -> LogSlice:
        if read.after is not None:
            read = replace(read, after=read.after._replace(epoch=stored.epoch))
        return super().slice_of_log(stored, read)


class EndMissed(PlantedBug):
    """Takes a position past the end for the end."""

    red = "test_a_position_of_another_life_or_past_the_end_is_a_gap"

    def slice_of_log(self, stored: StoredSession, read: LogRead) -> LogSlice:
        return replace(super().slice_of_log(stored, read), gap=False)


class LogFromItsPosition(PlantedBug):
    """Answers the event of the position again."""

    red = "test_slices_of_every_size_give_the_whole_log"

    def slice_of_log(self, stored: StoredSession, read: LogRead) -> LogSlice:
        if read.after and read.after.revision:
            before = Revision(read.after.revision - 1)
            read = replace(read, after=read.after._replace(revision=before))
        return super().slice_of_log(stored, read)


class WordsKeptInLog(PlantedBug):
    """Keeps what was said in the log when it is deleted."""

    red = "test_deleted_words_are_gone_from_the_log"
    original = StoredSession.remove

    @staticmethod
    def remove(self: StoredSession, sequences: list[Number]) -> None:
        for at, event in enumerate(self.events):
            if event.sequence in sequences:
                self.events[at] = replace(event, message=self.messages[event.sequence])
        WordsKeptInLog.original(self, sequences)

    @staticmethod
    def told(self: StoredSession, event: Event) -> Event:
        if event.sequence is None or event.message is not None:
            return event
        return replace(event, message=self.messages.get(event.sequence))

    in_session: ClassVar = {"remove": remove, "told": told}


class ForkUnarchived(PlantedBug):
    """Copies archived messages as if they were live."""

    red = "test_a_fork_holds_every_message_whole"
    original = StoredSession.put

    @staticmethod
    def put(self: StoredSession, message: Message, at: Timestamp) -> None:
        ForkUnarchived.original(self, replace(message, archived_at=None), at)

    in_session: ClassVar = {"put": put}


class ArchivedKeptByTruncation(PlantedBug):
    """Truncates live messages alone."""

    red = "test_truncating_deletes_all_that_follows"
    original = StoredSession.remove

    @staticmethod
    def remove(self: StoredSession, sequences: list[Number]) -> None:
        live = [one for one in sequences if self.messages[one].archived_at is None]
        ArchivedKeptByTruncation.original(self, live)

    in_session: ClassVar = {"remove": remove}


class LoadOverwrites(PlantedBug):
    """Puts what is loaded in the place of what is there."""

    red = "test_a_session_further_on_is_reported_and_left_alone"

    async def load(self, records: AsyncIterator[Record], *, replace: bool = False) -> Loaded:
        taken = [record async for record in records]
        for record in taken:
            if isinstance(record, Session):
                self.store.sessions.pop(record.id, None)

        async def again() -> AsyncIterator[Record]:
            for record in taken:
                yield record

        return await super().load(again(), replace=replace)


class LoadByRevision(PlantedBug):
    """Takes two sessions at the same revision for the same."""

    red = "test_a_session_in_another_state_is_reported_and_left_alone"

    async def load(self, records: AsyncIterator[Record], *, replace: bool = False) -> Loaded:
        loaded = await super().load(records, replace=replace)
        unchanged = loaded.unchanged + len(loaded.conflicts)
        return dataclasses.replace(loaded, unchanged=unchanged, conflicts=())


class DamageDoubled(PlantedBug):
    """Takes the same damage in at every load."""

    red = "test_loading_twice_changes_nothing"

    async def load(self, records: AsyncIterator[Record], *, replace: bool = False) -> Loaded:
        taken = [record async for record in records]
        kept = list(self.store.damages)

        async def again() -> AsyncIterator[Record]:
            for record in taken:
                yield record

        loaded = await super().load(again(), replace=replace)
        self.store.damages[:] = [*kept, *(one for one in taken if isinstance(one, Damage))]
        return loaded


class AttemptsNotExported(PlantedBug):
    """Leaves idempotency keys behind when a store is moved."""

    red = "test_a_loaded_session_lives_on"

    async def export(
        self, scope: Scope, *, after: SessionId | None = None
    ) -> AsyncIterator[Record]:
        async for record in super().export(scope, after=after):
            if not isinstance(record, IdempotencyRecord):
                yield record


class NewerTakenForLater(PlantedBug):
    """Follows another store by revisions alone, whatever was written here since."""

    red = "test_what_was_written_here_alone_is_never_given_up"

    async def load(self, records: AsyncIterator[Record], *, replace: bool = False) -> Loaded:
        taken = [record async for record in records]
        for record in taken:
            if isinstance(record, Session) and replace:
                here = self.store.sessions.get(record.id)
                if here and here.revision < record.revision:
                    del self.store.sessions[record.id]

        async def again() -> AsyncIterator[Record]:
            for record in taken:
                yield record

        return await super().load(again(), replace=replace)


class AttemptsOfDeletedForgotten(PlantedBug):
    """Leaves the idempotency keys of deleted sessions behind when a store is moved."""

    red = "test_attempts_on_deleted_sessions_move_along"

    async def export(
        self, scope: Scope, *, after: SessionId | None = None
    ) -> AsyncIterator[Record]:
        gone: set[SessionId] = set()
        async for record in super().export(scope, after=after):
            if isinstance(record, Deletion):
                gone.add(record.session_id)
            if not (isinstance(record, IdempotencyRecord) and record.session_id in gone):
                yield record


class OpenAfterClose(PlantedBug):
    """Serves on after it was closed."""

    red = "test_use_after_close_is_a_clear_error"

    def require_open(self) -> None:
        return


PLANTED_BUGS: tuple[type[PlantedBug], ...] = tuple(PlantedBug.__subclasses__())
