"""Defects in what is read: pages, scopes, keys, logs."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from msgspec.structs import replace

from app.backends.protocol import EVERYTHING, Found, Scope
from app.model.events import Event, LogRead, LogSlice
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
from app.model.session import Session, User
from tests.conformance.planted.bug import PlantedBug
from tests.conformance.reference_session import StoredSession


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


class OpenAfterClose(PlantedBug):
    """Serves on after it was closed."""

    red = "test_use_after_close_is_a_clear_error"

    def require_open(self) -> None:
        return
