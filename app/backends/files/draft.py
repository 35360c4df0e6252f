"""A session as its events make it, one after another: when they are told and when they are read.

Whatever changes a session is an entry that is applied here, so that a file read again gives the
state that its writing gave.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from msgspec import structs

from app.backends.files.catalogue import Row, Rows
from app.backends.files.entry import Entry
from app.backends.files.texts import SearchedText, text_of_message
from app.model.changes import Idempotency
from app.model.events import Event, EventKind
from app.model.identifiers import Revision, Sequence
from app.model.message import Message
from app.model.records import IdempotencyRecord
from app.model.session import Session
from app.model.timestamps import Timestamp

_COUNTERS = (
    "last_message_at",
    "last_activity_at",
    "message_count",
    "archived_message_count",
    "preview",
    "last_sequence",
)

_NONE = Sequence(0)

ReadMessage = Callable[[Row], Message]


@dataclass(frozen=True, slots=True)
class Told:
    """An entry that has yet to be written, with the session as it is with it."""

    entry: Entry
    session: Session


@dataclass(slots=True)
class Draft:
    """One session with all that is known of it, and the entries told since it was opened."""

    session: Session
    rows: Rows
    archived_through: Sequence = _NONE
    life: int = 0
    dead: int = 0
    told: list[Told] = field(default_factory=list)
    attempts: dict[str, IdempotencyRecord] = field(default_factory=dict)
    contents: dict[int, Message] = field(default_factory=dict)
    texts: dict[int, SearchedText] = field(default_factory=dict)
    affected: int = 0
    numbered: list[Sequence] = field(default_factory=list)
    _last_is_stale: bool = False

    def copy(self) -> Draft:
        """Returns a draft that a commit may work on, and that may be thrown away."""
        return replace(
            self,
            rows=self.rows.copy(),
            told=[],
            attempts=dict(self.attempts),
            contents=dict(self.contents),
            texts=dict(self.texts),
            affected=0,
            numbered=[],
        )

    def tell(
        self,
        kind: EventKind,
        at: Timestamp,
        *,
        sequence: Sequence | None = None,
        data: Mapping[str, Any] | None = None,
        message: Message | None = None,
        **changes: Any,
    ) -> None:
        """Adds an event, with the fields of the session and the message that it changes."""
        revision = Revision(self.session.revision + 1)
        event = Event(self.session.id, revision, kind, at, sequence, data or {}, None)
        header = structs.replace(self.session, updated_at=at, revision=revision, **changes)
        added = kind is EventKind.MESSAGE_ADDED
        entry = Entry(
            event,
            message,
            None if added else header,
            last_sequence=sequence if added and sequence else self.session.last_sequence,
            life=0 if added else self.life,
        )
        self.apply(entry, size=0)
        if message is not None and sequence is not None:
            self.contents[sequence] = message
        self.told.append(Told(entry, self.session))

    def attempt(self, idempotency: Idempotency, at: Timestamp) -> None:
        """Remembers an idempotency key with what came of it, in the last line of the commit."""
        record = IdempotencyRecord(
            self.session.id,
            idempotency,
            self.session.revision,
            self.sequences,
            self.affected,
            at,
        )
        self.attempts[idempotency.key] = record
        if self.told:
            last = self.told[-1]
            entry = replace(last.entry, attempts=(*last.entry.attempts, record))
            self.told[-1] = replace(last, entry=entry)
        else:
            self.note(attempts=(record,))

    def note(
        self,
        attempts: tuple[IdempotencyRecord, ...] = (),
        lost: tuple[Sequence, ...] = (),
    ) -> None:
        """Adds a line that tells of no event."""
        entry = Entry(
            header=self.session,
            attempts=attempts,
            last_sequence=self.session.last_sequence,
            life=self.life,
            lost=lost,
        )
        self.told.append(Told(entry, self.session))

    @property
    def changed_texts(self) -> dict[int, SearchedText | None]:
        """The searched texts of messages that have changed, by number; None for one gone."""
        gone = [sequence for sequence, row in self.rows.changed.items() if row is None]
        return {**self.texts, **dict.fromkeys(gone)}

    @property
    def sequences(self) -> range:
        """The numbers of the messages that were added."""
        return range(self.numbered[0], self.numbered[-1] + 1) if self.numbered else range(0)

    def apply(self, entry: Entry, *, size: int) -> None:
        """Takes an entry in; `size` is the length of its line."""
        if entry.header is not None:
            counters = {name: getattr(self.session, name) for name in _COUNTERS}
            if not counters["message_count"]:
                counters["last_activity_at"] = entry.header.created_at
            revision = max(entry.header.revision, self.session.revision)
            self.session = structs.replace(entry.header, **(counters | {"revision": revision}))
            self.life = entry.life
        for attempt in entry.attempts:
            self.attempts[attempt.idempotency.key] = attempt
        if entry.event is not None:
            self._apply_event(entry, entry.event, size)
        self.lose(entry.lost)
        if entry.last_sequence > self.session.last_sequence:
            self.session = structs.replace(self.session, last_sequence=entry.last_sequence)

    def _apply_event(self, entry: Entry, event: Event, size: int) -> None:
        message = entry.message
        match event.kind:
            case EventKind.MESSAGE_ADDED:
                if message is not None:
                    self._add(message, event.revision, size)
            case EventKind.MESSAGE_EDITED:
                if message is not None:
                    self._edit(message, event.revision, size)
            case EventKind.MESSAGE_DELETED:
                self.lose(() if event.sequence is None else (event.sequence,))
            case EventKind.MESSAGES_TRUNCATED:
                self._remove(self.rows.between(event.data["after"], self.session.last_sequence))
            case EventKind.MESSAGES_ARCHIVED:
                self._archive(Sequence(event.data["through"]), event.at)
            case _:
                pass
        self.session = structs.replace(self.session, revision=event.revision, updated_at=event.at)

    def _add(self, message: Message, revision: Revision, size: int) -> None:
        archived = message.archived_at is not None
        self.texts[message.sequence] = text_of_message(message)
        self.rows.changed[message.sequence] = Row(
            message.sequence,
            revision,
            size,
            message.created_at,
            message.archived_at,
            message.preview,
        )
        if archived:
            self.archived_through = max(self.archived_through, message.sequence)
        session = self.session
        self.session = structs.replace(
            session,
            message_count=session.message_count + 1,
            archived_message_count=session.archived_message_count + archived,
            last_message_at=message.created_at,
            last_activity_at=message.created_at,
            preview=session.preview if message.preview is None else message.preview,
        )

    def _edit(self, message: Message, revision: Revision, size: int) -> None:
        row = self.rows.get(message.sequence)
        if row is None:
            # Its first line was lost to damage; this one says everything all the same.
            self._add(message, revision, size)
        else:
            self.dead += row.size
            self.texts[message.sequence] = text_of_message(message)
            self.rows.changed[message.sequence] = replace(
                row, revision=revision, size=size, preview=message.preview
            )
        self._last_is_stale = True

    def lose(self, sequences: tuple[Sequence, ...]) -> None:
        """Takes away messages that damage has taken."""
        for sequence in sequences:
            self._remove(self.rows.between(sequence - 1, sequence))

    def _remove(self, rows: list[Row]) -> None:
        for row in rows:
            self.rows.changed[row.sequence] = None
            self.contents.pop(row.sequence, None)
            self.texts.pop(row.sequence, None)
            self.dead += row.size
        archived = sum(row.archived_at is not None for row in rows)
        self.session = structs.replace(
            self.session,
            message_count=self.session.message_count - len(rows),
            archived_message_count=self.session.archived_message_count - archived,
        )
        self._last_is_stale = True

    def _archive(self, through: Sequence, at: Timestamp) -> None:
        rows = self.rows.between(self.archived_through, through)
        for row in rows:
            self.rows.changed[row.sequence] = replace(row, archived_at=row.archived_at or at)
        self.archived_through = max(self.archived_through, through)
        fresh = sum(row.archived_at is None for row in rows)
        self.session = structs.replace(
            self.session, archived_message_count=self.session.archived_message_count + fresh
        )

    def finish(self) -> None:
        """Recounts what depends on the last messages, if these have changed."""
        if not self._last_is_stale:
            return
        self._last_is_stale = False
        last: Timestamp | None = None
        preview: str | None = None
        for row in self.rows.backwards():
            last = last or row.created_at
            preview = row.preview
            if preview is not None:
                break
        self.session = structs.replace(
            self.session,
            last_message_at=last,
            last_activity_at=last or self.session.created_at,
            preview=preview,
        )
