"""Between rows and the model. A row's values come in the order of the columns named here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Column

from app.backends.sql.tables import deletions, events, idempotency_keys, messages, sessions
from app.model.changes import Idempotency
from app.model.events import Event, EventKind
from app.model.identifiers import MessageId, SessionId, UserId
from app.model.message import Message, MessageRole, MessageStatus, Sender
from app.model.paging import title_order
from app.model.parts import Part, decode_parts, encode_parts
from app.model.records import Deletion, IdempotencyRecord
from app.model.refusals import no_json
from app.model.session import Session, SessionKind

SESSION_COLUMNS: tuple[Column[Any], ...] = tuple(
    column for column in sessions.c if column.name not in ("title_order", "archived_through")
)
MESSAGE_COLUMNS: tuple[Column[Any], ...] = tuple(messages.c)
EVENT_COLUMNS: tuple[Column[Any], ...] = tuple(events.c)

_SEVERAL_COLUMNS = {
    "sender": ("sender_name", "sender_user_id", "sender_agent_id"),
    "forked_from": ("forked_from_id", "forked_from_sequence"),
}


def columns_of(fields: frozenset[str] | None, *always: str) -> frozenset[str] | None:
    """Returns the names of the columns that hold fields of a model; None for all."""
    if fields is None:
        return None
    names = set(always)
    for field in fields:
        names.update(_SEVERAL_COLUMNS.get(field, (field,)))
    return frozenset(names)


_ROLES = {role.value: role for role in MessageRole}
_STATUSES = {status.value: status for status in MessageStatus}
_SESSION_KINDS = {kind.value: kind for kind in SessionKind}
_EVENT_KINDS = {kind.value: kind for kind in EventKind}
_NOTHING: Mapping[str, Any] = {}


def encode_json(value: Mapping[str, Any]) -> str:
    """Returns the text in which a JSON object is stored. Raises `InvalidInput` for what is none."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise no_json() from error


def parts_to_column(parts: Iterable[Part]) -> str:
    """Returns the text in which parts are stored. Raises `InvalidInput` where there is none."""
    try:
        return encode_parts(parts)
    except orjson.JSONEncodeError as error:
        raise no_json() from error


def owner_to_column(owner_id: UserId | None) -> str:
    """Returns how an owner is stored: empty for an unowned session."""
    return owner_id or ""


def owner_from_column(owner: str) -> UserId | None:
    """Returns the owner of a stored value."""
    return UserId(owner) if owner else None


def to_session(row: Sequence[Any]) -> Session:
    """Returns the session of a row of `SESSION_COLUMNS`."""
    (
        session_id,
        key,
        owner_id,
        agent_id,
        peer_agent_id,
        profile_id,
        title,
        kind,
        channel,
        forked_from_id,
        forked_from_sequence,
        metadata,
        *rest,
    ) = row
    return Session(
        session_id,
        key,
        owner_from_column(owner_id),
        agent_id,
        peer_agent_id,
        profile_id,
        title,
        _SESSION_KINDS[kind],
        channel,
        MessageId(forked_from_id, forked_from_sequence) if forked_from_id else None,
        {} if metadata == "{}" else orjson.loads(metadata),
        *rest,
    )


def from_session(session: Session, *, archived_through: int) -> dict[str, Any]:
    """Returns the row of a session."""
    forked_from = session.forked_from
    return {
        "id": session.id,
        "key": session.key,
        "owner_id": owner_to_column(session.owner_id),
        "agent_id": session.agent_id,
        "peer_agent_id": session.peer_agent_id,
        "profile_id": session.profile_id,
        "title": session.title,
        "title_order": title_order(session.title),
        "kind": session.kind.value,
        "channel": session.channel,
        "forked_from_id": forked_from.session_id if forked_from else None,
        "forked_from_sequence": forked_from.sequence if forked_from else None,
        "metadata": encode_json(session.metadata),
        "pinned_at": session.pinned_at,
        "starred_at": session.starred_at,
        "archived_at": session.archived_at,
        "created_at": session.created_at,
        "updated_at": session.updated_at,
        "last_message_at": session.last_message_at,
        "last_activity_at": session.last_activity_at,
        "message_count": session.message_count,
        "archived_message_count": session.archived_message_count,
        "preview": session.preview,
        "last_sequence": session.last_sequence,
        "epoch": session.epoch,
        "revision": session.revision,
        "archived_through": archived_through,
    }


def to_message(row: Sequence[Any]) -> Message:
    """Returns the message of a row of `MESSAGE_COLUMNS`."""
    return message_of(row[0], row[1:])


def message_of(session_id: SessionId, row: Sequence[Any]) -> Message:
    """Returns the message of a session, of a row of what follows its id in `MESSAGE_COLUMNS`."""
    (
        sequence,
        role,
        status,
        parts,
        preview,
        sender_name,
        sender_user_id,
        sender_agent_id,
        model,
        usage,
        metadata,
        created_at,
        edited_at,
        archived_at,
    ) = row
    return Message(
        session_id,
        sequence,
        _ROLES[role],
        _STATUSES[status],
        decode_parts(parts),
        preview,
        Sender(sender_name, sender_user_id, sender_agent_id)
        if sender_name is not None or sender_user_id is not None or sender_agent_id is not None
        else None,
        model,
        None if usage is None else orjson.loads(usage),
        {} if metadata == "{}" else orjson.loads(metadata),
        created_at,
        edited_at,
        archived_at,
    )


def from_message(message: Message) -> dict[str, Any]:
    """Returns the row of a message."""
    sender = message.sender
    return {
        "session_id": message.session_id,
        "sequence": message.sequence,
        "role": message.role.value,
        "status": message.status.value,
        "parts": parts_to_column(message.parts),
        "preview": message.preview,
        "sender_name": sender.name if sender else None,
        "sender_user_id": sender.user_id if sender else None,
        "sender_agent_id": sender.agent_id if sender else None,
        "model": message.model,
        "usage": None if message.usage is None else encode_json(message.usage),
        "metadata": encode_json(message.metadata),
        "created_at": message.created_at,
        "edited_at": message.edited_at,
        "archived_at": message.archived_at,
    }


def to_event(row: Sequence[Any], message: Message | None) -> Event:
    """Returns the event of a row of `EVENT_COLUMNS`."""
    session_id, revision, kind, at, sequence, data = row
    return Event(
        session_id,
        revision,
        _EVENT_KINDS[kind],
        at,
        sequence,
        _NOTHING if data is None else orjson.loads(data),
        message,
    )


def from_event(event: Event) -> dict[str, Any]:
    """Returns the row of an event; its message is a row of its own."""
    return {
        "session_id": event.session_id,
        "revision": event.revision,
        "kind": event.kind.value,
        "at": event.at,
        "sequence": event.sequence,
        "data": encode_json(event.data) if event.data else None,
    }


IDEMPOTENCY_COLUMNS: tuple[Column[Any], ...] = tuple(idempotency_keys.c)
DELETION_COLUMNS: tuple[Column[Any], ...] = tuple(deletions.c)


def to_idempotency_record(row: Sequence[Any]) -> IdempotencyRecord:
    """Returns the used key of a row of `IDEMPOTENCY_COLUMNS`."""
    session_id, key, digest, revision, first, count, affected, at = row
    sequences = range(first, first + count)
    return IdempotencyRecord(
        session_id, Idempotency(key, digest), revision, sequences, affected, at
    )


def idempotency_values(record: IdempotencyRecord) -> tuple[Any, ...]:
    """Returns the values of `IDEMPOTENCY_COLUMNS` of a used key."""
    return (
        record.session_id,
        record.idempotency.key,
        record.idempotency.digest,
        record.revision,
        record.sequences.start,
        len(record.sequences),
        record.affected,
        record.at,
    )


def from_idempotency_record(record: IdempotencyRecord) -> dict[str, Any]:
    """Returns the row of a used key."""
    names = [column.name for column in IDEMPOTENCY_COLUMNS]
    return dict(zip(names, idempotency_values(record), strict=True))


def to_deletion(row: Sequence[Any]) -> Deletion:
    """Returns the deletion of a row of `DELETION_COLUMNS`."""
    session_id, owner_id, epoch, revision, at = row
    return Deletion(SessionId(session_id), owner_from_column(owner_id), epoch, revision, at)


def from_deletion(deletion: Deletion) -> dict[str, Any]:
    """Returns the row of a deletion."""
    return {
        "session_id": deletion.session_id,
        "owner_id": owner_to_column(deletion.owner_id),
        "epoch": deletion.epoch,
        "revision": deletion.revision,
        "at": deletion.at,
    }
