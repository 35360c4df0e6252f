"""One session in memory, with its messages in order, its log, and what is counted from them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from msgspec.structs import asdict, replace

from app.model.events import Event, LogRead, LogSlice
from app.model.identifiers import Revision, Sequence
from app.model.message import Message, MessageScope
from app.model.paging import MessagePageRequest, Page, Take, cut_page
from app.model.refusals import no_json
from app.model.search_text import normal_text
from app.model.session import Session


@dataclass(slots=True)
class SessionState:
    """A live session. `sequences` are the numbers of `messages`, ascending.

    Archiving takes everything up to a message, so `archived_through` divides the archive from the
    live messages.
    """

    session: Session
    sequences: list[Sequence] = field(default_factory=list)
    messages: dict[Sequence, Message] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    archived_through: Sequence = field(default_factory=lambda: Sequence(0))
    _normal: dict[Sequence, tuple[Message, str]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """The normal forms of messages as they were when somebody last searched."""

    def in_order(self) -> Iterator[Message]:
        """Yields the messages by sequence."""
        return (self.messages[sequence] for sequence in self.sequences)

    def with_normal_text(self) -> Iterator[tuple[Message, str]]:
        """Yields the messages by sequence, each with the normal form of what it says."""
        if len(self._normal) > 2 * len(self.messages):
            self._normal.clear()
        for message in self.in_order():
            known = self._normal.get(message.sequence)
            if known is None or known[0] is not message:
                known = message, normal_text(message.parts)
                self._normal[message.sequence] = known
            yield known

    def page(self, request: MessagePageRequest) -> Page[Message]:
        """Returns a page of the messages."""
        window = request.window
        border = bisect_right(self.sequences, self.archived_through)
        start = border if request.messages is MessageScope.ACTIVE else 0
        end = border if request.messages is MessageScope.ARCHIVED else len(self.sequences)
        low, high = start, end
        if window.after is not None:
            low = max(start, bisect_right(self.sequences, window.after))
        if window.before is not None:
            high = min(end, bisect_left(self.sequences, window.before))
        if window.take is Take.FIRST:
            chosen = self.sequences[low : min(high, low + window.limit + 1)]
        else:
            chosen = self.sequences[max(low, high - window.limit - 1) : max(low, high)]
        return cut_page(
            [self.messages[sequence] for sequence in chosen],
            window.limit,
            window.take,
            before=min(low, end) > start,
            behind=max(high, start) < end,
        )

    def slice_of_log(self, read: LogRead) -> LogSlice:
        """Returns a slice of the log, each event with its message as it is now."""
        top = self.session.position
        start = read.after.revision if read.after else 0
        if read.after and (read.after.epoch != top.epoch or start > top.revision):
            return LogSlice((), top, gap=True)
        events = self.events[start : start + read.limit]
        return LogSlice(tuple([self._told(event) for event in events]), top, gap=False)

    def recounted(self) -> Session:
        """Returns the session with everything that can be counted, counted."""
        last = self.messages[self.sequences[-1]].created_at if self.sequences else None
        return replace(
            self.session,
            message_count=len(self.sequences),
            archived_message_count=bisect_right(self.sequences, self.archived_through),
            last_message_at=last,
            last_activity_at=last or self.session.created_at,
            preview=self.last_preview(),
        )

    def last_preview(self) -> str | None:
        """Returns the preview of the last message that has one."""
        for sequence in reversed(self.sequences):
            preview = self.messages[sequence].preview
            if preview is not None:
                return preview
        return None

    def _told(self, event: Event) -> Event:
        if event.sequence is None:
            return event
        return replace(event, message=self.messages.get(event.sequence))


def assemble(session: Session, messages: Iterable[Message], events: list[Event]) -> SessionState:
    """Returns the state of a session that has come in records, and is whole."""
    by_sequence = {message.sequence: message for message in messages}
    sequences = sorted(by_sequence)
    archived = [one for one in sequences if by_sequence[one].archived_at is not None]
    border = archived[-1] if archived else Sequence(0)
    return SessionState(session, sequences, by_sequence, events, border)


def has_whole_log(events: list[Event], top: Revision) -> bool:
    """Answers whether a log holds each number once, from 1 to its top."""
    return [event.revision for event in events] == list(range(1, top + 1))


def stored(value: Any) -> Any:
    """Returns a JSON value as every backend gives it back: a copy that nobody else holds.

    Raises `InvalidInput` for what JSON or UTF-8 can't hold.
    """
    return orjson.loads(encoded(value))


def encoded(value: Any) -> bytes:
    """Returns a value as JSON, to be compared: there true is not 1. Raises `InvalidInput`."""
    try:
        return orjson.dumps(value, default=asdict)
    except orjson.JSONEncodeError as error:
        raise no_json() from error
