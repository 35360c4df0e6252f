"""Reading, on threads: the index says what there is, the files say what it says.

Before a session is read its file is compared with what the index knows of it. What another
process has left there unindexed when it died is taken in first; while somebody is writing, the
state before is the present one, since nothing newer has been acknowledged.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TypeVar

from msgspec.structs import replace

from app.backends.files.catalogue import (
    Damaged,
    Row,
    Stored,
    attempts_of,
    find_by_id,
    find_by_key,
    find_tombstone,
    segments_of,
)
from app.backends.files.committer import Committer
from app.backends.files.names import file_name
from app.backends.files.plan import in_scope
from app.backends.files.recovery import Recovery
from app.backends.files.session_files import Lost, Moved, present_message
from app.backends.files.session_pages import page_of_sessions
from app.backends.files.store import Store
from app.backends.protocol import EVERYTHING, Scope
from app.model.errors import ScrollbackError, StoreUnavailable
from app.model.events import Event, EventKind, LogRead, LogSlice
from app.model.identifiers import MessageId, Position, SessionId, SessionKey
from app.model.message import Message, MessageScope
from app.model.paging import MessagePageRequest, Page, SessionPageRequest, Take, cut_page
from app.model.records import IdempotencyRecord
from app.model.session import Session

V = TypeVar("V")

_TRIES = 5
_DAMAGED = "the file of this session is damaged: see `scrollback doctor`"
_NO_BOUND = 1 << 62
_ROW = "sequence, revision, size, created_at, archived_at, preview"


class Reader:
    """The reading half. Blocks; used from the reading threads."""

    def __init__(self, store: Store, recovery: Recovery, committer: Committer) -> None:
        self._store = store
        self._recovery = recovery
        self._committer = committer

    def get_sessions(
        self, ids: Collection[SessionId], scope: Scope
    ) -> dict[SessionId, Session | ScrollbackError]:
        """Answers sessions by id."""
        answer: dict[SessionId, Session | ScrollbackError] = {}
        for session_id in ids:
            found = self._read(session_id, scope, lambda _, stored: stored.session)
            if found is not None:
                answer[session_id] = found
        return answer

    def find_sessions(
        self, keys: Collection[SessionKey], scope: Scope
    ) -> dict[SessionKey, Session | ScrollbackError]:
        """Answers sessions by owner and key."""
        answer: dict[SessionKey, Session | ScrollbackError] = {}
        for key in keys:
            if not in_scope(key.owner_id, scope):
                continue
            found = self._find_session(key)
            if found is not None:
                answer[key] = found
        return answer

    def _find_session(self, key: SessionKey) -> Session | ScrollbackError | None:
        name = file_name(key)
        for _ in range(_TRIES):
            try:
                with self._store.index.reading() as connection:
                    stored = find_by_key(connection, key)
                    unreadable = connection.execute(
                        "SELECT 1 FROM unreadable WHERE name = ?", (name,)
                    ).fetchone()
            except Damaged as error:
                self._reread(error.name)
                continue
            if unreadable is not None:
                return StoreUnavailable(_DAMAGED)
            if self._is_current(name, stored) or not self._catch_up(name):
                return None if stored is None else stored.session
        return StoreUnavailable(_DAMAGED)

    def page_sessions(
        self, requests: Collection[SessionPageRequest], scope: Scope
    ) -> dict[SessionPageRequest, Page[Session]]:
        """Answers pages of sessions."""
        return self.at_one_moment(
            lambda connection: {one: page_of_sessions(connection, one, scope) for one in requests}
        )

    def at_one_moment(self, read: Callable[[sqlite3.Connection], V]) -> V:
        """Reads from many sessions; one that is found `Damaged` is read anew."""
        for _ in range(_TRIES):
            try:
                with self._store.index.reading() as connection:
                    return read(connection)
            except Damaged as error:
                self._reread(error.name)
        raise StoreUnavailable("the index of the store can't be put right; try again")

    def messages_of(
        self, connection: sqlite3.Connection, stored: Stored, sequences: Iterable[int]
    ) -> list[Message]:
        """Returns those messages of a session that are there. Raises `Damaged`."""
        try:
            return self._messages(connection, stored, _rows_of(connection, stored, sequences))
        except (Lost, Moved) as error:
            raise Damaged(stored.name) from error

    def get_messages(
        self, ids: Collection[MessageId], scope: Scope
    ) -> dict[MessageId, Message | ScrollbackError]:
        """Answers messages by id."""
        wanted: dict[SessionId, list[MessageId]] = {}
        for one in ids:
            wanted.setdefault(one.session_id, []).append(one)
        answer: dict[MessageId, Message | ScrollbackError] = {}
        for session_id, mine in wanted.items():
            sequences = {int(one.sequence) for one in mine}

            def read(
                connection: sqlite3.Connection, stored: Stored, of: set[int] = sequences
            ) -> list[Message]:
                return self._messages(connection, stored, _rows_of(connection, stored, of))

            found = self._read(session_id, scope, read)
            if isinstance(found, ScrollbackError):
                answer.update(dict.fromkeys(mine, found))
            elif found is not None:
                answer.update({message.message_id: message for message in found})
        return answer

    def page_messages(
        self, requests: Collection[MessagePageRequest], scope: Scope
    ) -> dict[MessagePageRequest, Page[Message] | ScrollbackError]:
        """Answers pages of messages."""
        answer: dict[MessagePageRequest, Page[Message] | ScrollbackError] = {}
        for request in dict.fromkeys(requests):

            def read(
                connection: sqlite3.Connection, stored: Stored, of: MessagePageRequest = request
            ) -> Page[Message]:
                return self._page(connection, stored, of)

            page = self._read(request.session_id, scope, read)
            if page is not None:
                answer[request] = page
        return answer

    def read_logs(
        self, reads: Collection[LogRead], scope: Scope
    ) -> dict[LogRead, LogSlice | ScrollbackError]:
        """Answers slices of logs, of deleted sessions too."""
        answer: dict[LogRead, LogSlice | ScrollbackError] = {}
        for read in dict.fromkeys(reads):

            def slice_of(
                connection: sqlite3.Connection, stored: Stored, of: LogRead = read
            ) -> LogSlice:
                return self._slice(connection, stored, of)

            found = self._read(read.session_id, scope, slice_of)
            if found is None:
                found = self._deletion(read, scope)
            if found is not None:
                answer[read] = found
        return answer

    def read_whole(
        self, session_id: SessionId
    ) -> (
        tuple[Session, list[Message], list[Event], list[IdempotencyRecord]] | ScrollbackError | None
    ):
        """Returns a session with all that belongs to it, as it is at one moment."""

        def read(
            connection: sqlite3.Connection, stored: Stored
        ) -> tuple[Session, list[Message], list[Event], list[IdempotencyRecord]]:
            messages, events = self.whole(connection, stored)
            return stored.session, messages, events, attempts_of(connection, session_id)

        return self._read(session_id, EVERYTHING, read)

    def whole(
        self, connection: sqlite3.Connection, stored: Stored
    ) -> tuple[list[Message], list[Event]]:
        """Returns all messages and all events of a session, as they are at one moment.

        Events that damage has taken are left out. Raises `Moved` and `Lost`.
        """
        rows = _rows_between(connection, stored, 0, _NO_BOUND, "ASC", -1)
        revisions = range(1, stored.session.revision + 1)
        segments = segments_of(connection, stored.session.id)
        entries = self._store.files.read_entries(stored, segments, revisions)
        events = [entry.event for entry in entries.values() if entry.event is not None]
        missing = {at for low, high in stored.file.missing for at in range(low, high + 1)}
        if len(events) < len(set(revisions) - missing):
            raise Lost
        return [present_message(row, entries) for row in rows], events

    def _read(
        self,
        session_id: SessionId,
        scope: Scope,
        read: Callable[[sqlite3.Connection, Stored], V],
    ) -> V | ScrollbackError | None:
        """Reads from a session; None where it is absent or out of scope."""
        name = ""
        for _ in range(_TRIES):
            try:
                with self._store.index.reading() as connection:
                    stored = find_by_id(connection, session_id)
                    name = stored.name if stored is not None else name
                    if stored is None:
                        return self._unreadable(connection, session_id, scope)
                    if not in_scope(stored.session.owner_id, scope):
                        return None
                    if self._is_current(stored.name, stored):
                        return read(connection, stored)
                if not self._catch_up(stored.name):
                    with self._store.index.reading() as connection:
                        again = find_by_id(connection, session_id)
                        if again is not None:
                            return read(connection, again)
            except Damaged as error:
                self._reread(error.name)
            except Moved:
                self._wait_and_catch_up(name)
            except Lost:
                self._reread(name)
        return StoreUnavailable(_DAMAGED)

    def _unreadable(
        self, connection: sqlite3.Connection, session_id: SessionId, scope: Scope
    ) -> ScrollbackError | None:
        found = connection.execute(
            "SELECT 1 FROM unreadable WHERE session_id = ?", (session_id,)
        ).fetchone()
        # Whose it was can't be told any more, so only the widest scope hears of it.
        return StoreUnavailable(_DAMAGED) if found and scope.owner is None else None

    def _is_current(self, name: str, stored: Stored | None) -> bool:
        found = self._store.system.fingerprint(self._store.layout.active(name))
        return found == (stored.file.fingerprint if stored else None)

    def _catch_up(self, name: str) -> bool:
        """Takes in what nobody has indexed; False while somebody is at it, or must not be."""
        store = self._store
        if name in store.failed:
            return False
        with store.index.sharing(), store.locks.stripe_if_free(name) as free:
            if free:
                self._committer.refresh({name})
            return free

    def _wait_and_catch_up(self, name: str) -> None:
        store = self._store
        with store.index.sharing(), store.locks.stripes([name]):
            self._committer.refresh({name})

    def _reread(self, name: str) -> None:
        """Reads a session's files anew, since they or the index are not what they were."""
        store = self._store
        if name in store.failed:
            raise StoreUnavailable(_DAMAGED)
        with store.index.sharing(), store.locks.stripes([name]):
            self._recovery.resync(name)

    def _messages(
        self, connection: sqlite3.Connection, stored: Stored, rows: list[Row]
    ) -> list[Message]:
        if not rows:
            return []
        segments = segments_of(connection, stored.session.id)
        return self._store.files.read_messages(stored, segments, rows)

    def _page(
        self, connection: sqlite3.Connection, stored: Stored, request: MessagePageRequest
    ) -> Page[Message]:
        window = request.window
        border = stored.file.archived_through
        low = border if request.messages is MessageScope.ACTIVE else 0
        high = border if request.messages is MessageScope.ARCHIVED else _NO_BOUND
        after = max(low, window.after or 0)
        before = high + 1 if window.before is None else min(high + 1, window.before)
        direction = "DESC" if window.take is Take.LAST else "ASC"
        rows = _rows_between(connection, stored, after, before, direction, window.limit + 1)
        rows.sort(key=lambda row: row.sequence)
        cut = cut_page(
            rows,
            window.limit,
            window.take,
            before=window.after is not None
            and _anything(connection, stored, low, min(window.after, high)),
            behind=window.before is not None
            and _anything(connection, stored, max(low, window.before - 1), high),
        )
        messages = self._messages(connection, stored, list(cut.items))
        return Page(tuple(messages), cut.has_previous, cut.has_next)

    def _slice(self, connection: sqlite3.Connection, stored: Stored, read: LogRead) -> LogSlice:
        top = stored.session.position
        start = read.after.revision if read.after else 0
        if read.after is not None and (read.after.epoch != top.epoch or start > top.revision):
            return LogSlice((), top, gap=True)
        revisions = range(start + 1, min(start + read.limit, top.revision) + 1)
        missing = {at for low, high in stored.file.missing for at in range(low, high + 1)}
        whole: list[int] = []
        for revision in revisions:
            if revision in missing:
                break
            whole.append(revision)
        if revisions and not whole:
            # Damage has taken what comes next: who follows has to fetch the session anew.
            return LogSlice((), top, gap=True)
        segments = segments_of(connection, stored.session.id)
        entries = self._store.files.read_entries(stored, segments, whole)
        events = [entries[one].event for one in whole if one in entries]
        told = [event for event in events if event is not None]
        if len(told) != len(whole):
            raise Lost
        named = {int(event.sequence) for event in told if event.sequence is not None}
        rows = _rows_of(connection, stored, named)
        further = [row.revision for row in rows if row.revision not in entries]
        entries.update(self._store.files.read_entries(stored, segments, further))
        messages = {int(row.sequence): present_message(row, entries) for row in rows}
        return LogSlice(tuple([_with_message(one, messages) for one in told]), top, gap=False)

    def _deletion(self, read: LogRead, scope: Scope) -> LogSlice | None:
        with self._store.index.reading() as connection:
            tombstone = find_tombstone(connection, read.session_id)
        if tombstone is None or not in_scope(tombstone.deletion.owner_id, scope):
            return None
        deletion = tombstone.deletion
        top = Position(deletion.epoch, deletion.revision)
        after = read.after
        gap = after is not None and (after.epoch != top.epoch or after.revision > top.revision)
        last = Event(
            deletion.session_id,
            deletion.revision,
            EventKind.SESSION_DELETED,
            deletion.at,
            None,
            {},
            None,
        )
        return LogSlice(() if gap or after == top else (last,), top, gap)


def _with_message(event: Event, messages: Mapping[int, Message]) -> Event:
    if event.sequence is None or event.sequence not in messages:
        return event
    return replace(event, message=messages[event.sequence])


def _rows_between(
    connection: sqlite3.Connection,
    stored: Stored,
    after: int,
    before: int,
    direction: str,
    limit: int,
) -> list[Row]:
    found = connection.execute(
        f"SELECT {_ROW} FROM messages WHERE session_id = ? AND sequence > ? AND sequence < ? "  # noqa: S608 - ours
        f"ORDER BY sequence {direction} LIMIT ?",
        (stored.session.id, after, before, limit),
    )
    return [Row(*row) for row in found]


def _rows_of(connection: sqlite3.Connection, stored: Stored, sequences: Iterable[int]) -> list[Row]:
    statement = f"SELECT {_ROW} FROM messages WHERE session_id = ? AND sequence = ?"  # noqa: S608
    rows: list[Row] = []
    for sequence in sorted(sequences):
        found = connection.execute(statement, (stored.session.id, sequence)).fetchone()
        if found is not None:
            rows.append(Row(*found))
    return rows


def _anything(connection: sqlite3.Connection, stored: Stored, after: int, through: int) -> bool:
    found = connection.execute(
        "SELECT 1 FROM messages WHERE session_id = ? AND sequence > ? AND sequence <= ? LIMIT 1",
        (stored.session.id, after, through),
    )
    return found.fetchone() is not None
