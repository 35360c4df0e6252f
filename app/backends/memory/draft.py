"""A session while a commit is carried out on it: changed in place, and undone where it fails.

In place, since a copy would make an append cost as much as the session is long.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from app.backends.memory.state import SessionState, encoded, stored
from app.model.changes import CopyMessages, EditMessage
from app.model.events import Event, EventKind
from app.model.identifiers import Revision, Sequence
from app.model.message import Message, NewMessage
from app.model.parts import Part, decode_parts, encode_parts
from app.model.refusals import no_json, no_such_message
from app.model.timestamps import Timestamp


class Draft:
    """The changes of one commit. `undo` brings the session back to where it was."""

    def __init__(self, state: SessionState, at: Timestamp) -> None:
        self.state = state
        self.at = at
        self.is_new = state.session.revision == 0
        self.affected = 0
        self.added: list[Message] = []
        self._before = state.session, state.archived_through, len(state.events)
        self._undo: list[Callable[[], None]] = []

    @property
    def sequences(self) -> range:
        """The numbers of the messages that this commit added."""
        if not self.added:
            return range(0)
        return range(self.added[0].sequence, self.added[-1].sequence + 1)

    def undo(self) -> None:
        """Takes every change back."""
        for step in reversed(self._undo):
            step()
        self.state.session, self.state.archived_through, events = self._before
        del self.state.events[events:]

    def record(
        self,
        kind: EventKind,
        *,
        sequence: Sequence | None = None,
        data: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> None:
        """Adds an event, and sets the session's fields that it changed."""
        state = self.state
        revision = Revision(state.session.revision + 1)
        state.session = replace(state.session, revision=revision, updated_at=self.at, **changes)
        state.events.append(
            Event(state.session.id, revision, kind, self.at, sequence, data or {}, None)
        )

    def set_field(self, kind: EventKind, name: str, value: Any) -> None:
        """Sets a field of the session, if that changes it."""
        if encoded(value) != encoded(getattr(self.state.session, name)):
            value = stored(value)
            self.record(kind, data={name: value}, **{name: value})

    def set_mark(self, kind: EventKind, name: str, on: bool) -> None:
        """Sets or clears one of the session's times, if that changes it."""
        if on is not (getattr(self.state.session, name) is not None):
            mark: dict[str, Any] = {name: self.at if on else None}
            self.record(kind, data=mark, **mark)

    def add(self, new: NewMessage) -> None:
        """Numbers a message and adds it."""
        sender = new.sender
        encoded((new.preview, new.model, sender))
        message = Message(
            session_id=self.state.session.id,
            sequence=Sequence(self.state.session.last_sequence + 1),
            role=new.role,
            status=new.status,
            parts=_stored_parts(new.parts),
            preview=new.preview,
            sender=sender,
            model=new.model,
            usage=stored(new.usage),
            metadata=stored(new.metadata),
            created_at=new.created_at or self.at,
            edited_at=None,
            archived_at=None,
        )
        self._put(message)
        self.added.append(message)

    def copy(self, source: SessionState, change: CopyMessages) -> None:
        """Adds copies of another session's messages, with their numbers."""
        if change.through is not None:
            _require(source, change.through)
        copies = [
            replace(message, session_id=self.state.session.id)
            for message in source.in_order()
            if change.through is None or message.sequence <= change.through
        ]
        if not copies:
            return
        # Nothing to undo: where the commit fails, its new session was never kept.
        state = self.state
        state.sequences = [message.sequence for message in copies]
        state.messages = {message.sequence: message for message in copies}
        state.archived_through = min(source.archived_through, state.sequences[-1])
        first = state.session.revision + 1
        state.events += [
            Event(
                message.session_id,
                Revision(first + place),
                EventKind.MESSAGE_ADDED,
                self.at,
                message.sequence,
                {},
                None,
            )
            for place, message in enumerate(copies)
        ]
        state.session = replace(
            state.recounted(),
            last_sequence=state.sequences[-1],
            revision=Revision(len(state.events)),
            updated_at=self.at,
        )
        self.affected += len(copies)

    def edit(self, change: EditMessage) -> None:
        """Replaces what is given of a message, if that changes it."""
        before = _require(self.state, change.sequence)
        encoded((change.preview, change.model))
        given: dict[str, Any] = {
            name: getattr(change, name)
            for name in ("status", "model")
            if getattr(change, name) is not None
        }
        for name in ("usage", "metadata"):
            value = getattr(change, name)
            if value is not None and encoded(value) != encoded(getattr(before, name)):
                given[name] = stored(value)
        if change.parts is not None:
            given |= {"parts": _stored_parts(change.parts), "preview": change.preview}
        after = replace(before, **given)
        same_parts = encode_parts(after.parts) == encode_parts(before.parts)
        if (
            same_parts
            and replace(after, parts=before.parts) == before
            and not (given.keys() & {"usage", "metadata"})
        ):
            return
        self._set(replace(after, edited_at=self.at))
        self.record(EventKind.MESSAGE_EDITED, sequence=change.sequence, **self._last())

    def delete(self, sequence: Sequence) -> None:
        """Deletes one message."""
        _require(self.state, sequence)
        place = bisect_left(self.state.sequences, sequence)
        self._take_out(place, place + 1)
        self.record(EventKind.MESSAGE_DELETED, sequence=sequence, **self._counted())

    def truncate(self, after: Sequence) -> None:
        """Deletes every message after one."""
        if after:
            _require(self.state, after)
        start = bisect_right(self.state.sequences, after)
        count = len(self.state.sequences) - start
        if count:
            self._take_out(start, start + count)
            data = {"after": after, "count": count}
            self.record(EventKind.MESSAGES_TRUNCATED, data=data, **self._counted())

    def archive(self, through: Sequence) -> None:
        """Archives the live messages up to and with one."""
        state = self.state
        _require(state, through)
        start = bisect_right(state.sequences, state.archived_through)
        chosen = state.sequences[start : bisect_right(state.sequences, through)]
        if not chosen:
            return
        for sequence in chosen:
            self._set(replace(state.messages[sequence], archived_at=self.at))
        state.archived_through = through
        self.affected += len(chosen)
        self.record(
            EventKind.MESSAGES_ARCHIVED,
            data={"through": through, "count": len(chosen)},
            archived_message_count=state.session.archived_message_count + len(chosen),
        )

    def _put(self, message: Message) -> None:
        state = self.state
        state.sequences.append(message.sequence)
        state.messages[message.sequence] = message
        self._undo.append(self._drop_last)
        self.record(
            EventKind.MESSAGE_ADDED,
            sequence=message.sequence,
            last_sequence=message.sequence,
            message_count=state.session.message_count + 1,
            last_message_at=message.created_at,
            last_activity_at=message.created_at,
            preview=state.session.preview if message.preview is None else message.preview,
        )

    def _drop_last(self) -> None:
        del self.state.messages[self.state.sequences.pop()]

    def _set(self, message: Message) -> None:
        before = self.state.messages[message.sequence]
        self.state.messages[message.sequence] = message
        self._undo.append(lambda: self.state.messages.__setitem__(before.sequence, before))

    def _take_out(self, start: int, end: int) -> None:
        state = self.state
        taken = [state.messages.pop(sequence) for sequence in state.sequences[start:end]]
        del state.sequences[start:end]
        self.affected += len(taken)

        def put_back() -> None:
            for message in taken:
                insort(state.sequences, message.sequence)
                state.messages[message.sequence] = message

        self._undo.append(put_back)

    def _last(self) -> dict[str, Any]:
        counted = self.state.recounted()
        return {
            name: getattr(counted, name)
            for name in ("last_message_at", "last_activity_at", "preview")
        }

    def _counted(self) -> dict[str, Any]:
        counted = self.state.recounted()
        return self._last() | {
            "message_count": counted.message_count,
            "archived_message_count": counted.archived_message_count,
        }


def _require(state: SessionState, sequence: Sequence) -> Message:
    message = state.messages.get(sequence)
    if message is None:
        raise no_such_message()
    return message


def _stored_parts(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    try:
        return decode_parts(encode_parts(parts))
    except (TypeError, ValueError) as error:
        raise no_json() from error
