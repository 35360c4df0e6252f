"""What the lines of a session's file say, and how they say it.

A message that is added is a line with its `role`; everything else (the header, renaming, edits,
truncation, attempts that changed nothing …) is a line of `"_type": "metadata"`, which repeats the
session's own fields, since readers take the last one for true.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.backends.files.chat_fields import parts_from_fields, parts_to_fields
from app.model.changes import Idempotency
from app.model.events import Event, EventKind
from app.model.identifiers import Epoch, MessageId, Revision, Sequence, SessionId
from app.model.message import Message, MessageRole, MessageStatus, Sender
from app.model.records import IdempotencyRecord
from app.model.session import Session, SessionKind
from app.model.timestamps import Timestamp

_NONE = Sequence(0)
_ROLES = {role.value: role for role in MessageRole}
_STATUSES = {status.value: status for status in MessageStatus}
_KINDS = {kind.value: kind for kind in EventKind}
_TEXT_FIELDS = (
    "owner_id",
    "agent_id",
    "peer_agent_id",
    "profile_id",
    "title",
    "channel",
    "pinned_at",
    "starred_at",
    "archived_at",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """What one line says. `message` is a message's new content; `header` the session's fields.

    `last_sequence` is the highest number given up to this line. `life` is the number of the
    deletion that a session of this id was made anew after, 0 for none. `lost` are messages that are
    known to have been damaged or deleted in events that damage has taken.
    """

    event: Event | None = None
    message: Message | None = None
    header: Session | None = None
    attempts: tuple[IdempotencyRecord, ...] = ()
    last_sequence: Sequence = _NONE
    life: int = 0
    lost: tuple[Sequence, ...] = ()


def line_of(entry: Entry, session: Session) -> dict[str, Any]:
    """Returns the fields of a line; `session` is the session as it is with it."""
    message, event = entry.message, entry.event
    if entry.header is not None or message is None or event is None:
        return _metadata_line(entry, session)
    fields = _message_fields(message)
    if event.at != message.created_at:
        fields["at"] = event.at
    return fields | _attempts_fields(entry)


def _metadata_line(entry: Entry, session: Session) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "_type": "metadata",
        "key": session.key,
        "created_at": session.created_at,
        "updated_at": session.updated_at,
        "metadata": dict(session.metadata),
        "last_consolidated": 0,
        "id": session.id,
        "epoch": session.epoch,
        "kind": session.kind.value,
        "last_sequence": entry.last_sequence,
    }
    if session.title is not None and "title" not in session.metadata:
        fields["metadata"]["title"] = session.title
        fields["title_in_metadata"] = True
    for name in _TEXT_FIELDS:
        value = getattr(session, name)
        if value is not None:
            fields[name] = value
    if session.forked_from is not None:
        fields["forked_from"] = list(session.forked_from)
    if entry.life:
        fields["life"] = entry.life
    if entry.lost:
        fields["lost"] = list(entry.lost)
    if entry.event is not None:
        fields["event"] = _event_fields(entry.event)
    if entry.message is not None:
        fields["message"] = _message_fields(entry.message)
    return fields | _attempts_fields(entry)


def entry_of(fields: Mapping[str, Any], number: int, session_id: SessionId) -> Entry:
    """Returns what a line says, of which the number is known."""
    revision = Revision(number)
    attempts = tuple([attempt_of(stored, session_id) for stored in fields.get("attempts", ())])
    if fields.get("_type") == "metadata":
        told, content = fields.get("event"), fields.get("message")
        return Entry(
            event=None if told is None else _event(told, revision, session_id),
            message=None if content is None else _message(content, session_id),
            header=header_of(fields, revision),
            attempts=attempts,
            last_sequence=fields["last_sequence"],
            life=fields.get("life", 0),
            lost=tuple(fields.get("lost", ())),
        )
    message = _message(fields, session_id)
    at = Timestamp(fields.get("at", message.created_at))
    sequence = message.sequence
    event = Event(session_id, revision, EventKind.MESSAGE_ADDED, at, sequence, {}, None)
    return Entry(event, message, None, attempts, sequence)


def header_of(fields: Mapping[str, Any], revision: Revision) -> Session:
    """Returns the session of a metadata line, without its counters."""
    metadata = dict(fields["metadata"])
    if fields.get("title_in_metadata"):
        del metadata["title"]
    forked_from = fields.get("forked_from")
    values = {name: fields.get(name) for name in _TEXT_FIELDS}
    return Session(
        id=SessionId(fields["id"]),
        key=fields["key"],
        kind=SessionKind(fields["kind"]),
        forked_from=None if forked_from is None else MessageId(*forked_from),
        metadata=metadata,
        created_at=fields["created_at"],
        updated_at=fields["updated_at"],
        last_message_at=None,
        last_activity_at=fields["created_at"],
        message_count=0,
        archived_message_count=0,
        preview=None,
        last_sequence=Sequence(0),
        epoch=Epoch(fields["epoch"]),
        revision=revision,
        **values,
    )


def _event_fields(event: Event) -> dict[str, Any]:
    fields: dict[str, Any] = {"kind": event.kind.value, "at": event.at}
    if event.sequence is not None:
        fields["sequence"] = event.sequence
    if event.data:
        fields["data"] = event.data
    return fields


def _event(fields: Mapping[str, Any], revision: Revision, session_id: SessionId) -> Event:
    return Event(
        session_id,
        revision,
        _KINDS[fields["kind"]],
        fields["at"],
        fields.get("sequence"),
        fields.get("data", {}),
        None,
    )


def _message_fields(message: Message) -> dict[str, Any]:
    fields: dict[str, Any] = {"role": message.role.value}
    fields |= parts_to_fields(message.role, message.parts)
    fields["timestamp"] = message.created_at
    fields["sequence"] = message.sequence
    if message.status is not MessageStatus.COMPLETE:
        fields["status"] = message.status.value
    if message.preview is not None:
        # Most messages preview themselves whole.
        fields["preview"] = True if message.preview == fields["content"] else message.preview
    sender = message.sender
    if sender is not None:
        named = {"name": sender.name, "user_id": sender.user_id, "agent_id": sender.agent_id}
        fields["sender"] = {name: value for name, value in named.items() if value is not None}
    for name in ("model", "usage", "edited_at", "archived_at"):
        value = getattr(message, name)
        if value is not None:
            fields[name] = value
    if message.metadata:
        fields["metadata"] = message.metadata
    return fields


def _message(fields: Mapping[str, Any], session_id: SessionId) -> Message:
    preview = fields.get("preview")
    sender = fields.get("sender")
    return Message(
        session_id,
        fields["sequence"],
        _ROLES[fields["role"]],
        _STATUSES[fields.get("status", "complete")],
        parts_from_fields(fields),
        fields["content"] if preview is True else preview,
        Sender(**sender) if sender else None,
        fields.get("model"),
        fields.get("usage"),
        fields.get("metadata", {}),
        fields["timestamp"],
        fields.get("edited_at"),
        fields.get("archived_at"),
    )


def _attempts_fields(entry: Entry) -> dict[str, Any]:
    if not entry.attempts:
        return {}
    return {"attempts": [attempt_fields(attempt) for attempt in entry.attempts]}


def attempt_fields(attempt: IdempotencyRecord) -> dict[str, Any]:
    """Returns the stored form of a used idempotency key."""
    return {
        "key": attempt.idempotency.key,
        "digest": attempt.idempotency.digest,
        "revision": attempt.revision,
        "sequences": [attempt.sequences.start, attempt.sequences.stop],
        "affected": attempt.affected,
        "at": attempt.at,
    }


def attempt_of(fields: Mapping[str, Any], session_id: SessionId) -> IdempotencyRecord:
    """Returns the used idempotency key of its stored form."""
    return IdempotencyRecord(
        session_id,
        Idempotency(fields["key"], fields["digest"]),
        fields["revision"],
        range(*fields["sequences"]),
        fields["affected"],
        fields["at"],
    )
