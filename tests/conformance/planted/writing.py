"""Defects in what is written: atomicity, numbers, counters, attempts, scopes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from msgspec import structs

from app.backends.protocol import EVERYTHING, Scope
from app.model.changes import Commit, Committed
from app.model.errors import Conflict, NotFound, ScrollbackError
from app.model.events import EventKind
from app.model.identifiers import Revision, SessionId
from app.model.identifiers import Sequence as Number
from app.model.message import Message
from app.model.records import IdempotencyRecord
from app.model.session import Session
from app.model.timestamps import Timestamp
from tests.conformance.planted.bug import PlantedBug
from tests.conformance.reference_session import StoredSession


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
        copy.session = structs.replace(copy.session, last_sequence=last)
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
            self.session = structs.replace(self.session, **{name: value})
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
            self.session = structs.replace(self.session, archived_at=at if wanted else None)
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
        return structs.replace(session, message_count=most)

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


class ForkUnarchived(PlantedBug):
    """Copies archived messages as if they were live."""

    red = "test_a_fork_holds_every_message_whole"
    original = StoredSession.put

    @staticmethod
    def put(self: StoredSession, message: Message, at: Timestamp) -> None:
        ForkUnarchived.original(self, structs.replace(message, archived_at=None), at)

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
