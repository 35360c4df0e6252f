"""One record of a store as one line of JSON, and back. Canonical: equal records, equal bytes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from msgspec.structs import asdict, fields

from app.formats.archive_fields import Fields
from app.formats.lines import Line, Unreadable, parse_record
from app.model.changes import Idempotency
from app.model.events import Event, EventKind
from app.model.identifiers import (
    AgentId,
    Epoch,
    MessageId,
    ProfileId,
    Revision,
    Sequence,
    SessionId,
    UserId,
)
from app.model.message import Message, MessageRole, MessageStatus, Sender
from app.model.parts import Part, part_from_json, part_to_json
from app.model.records import Damage, Deletion, IdempotencyRecord, Record
from app.model.session import Agent, Profile, Session, SessionKind, User
from app.rules.limits import Limits

_NAMES: Mapping[type[Any], str] = {
    User: "user",
    Agent: "agent",
    Profile: "profile",
    Session: "session",
    Message: "message",
    Event: "event",
    IdempotencyRecord: "idempotency",
    Deletion: "deletion",
    Damage: "damage",
}
_FIELDS: Mapping[type[Any], tuple[str, ...]] = {
    kind: tuple(field.name for field in fields(kind)) for kind in _NAMES
}

# What a record holds may be as deep as the API allows, and stands inside of it.
_DEPTH = Limits().json_depth + 8


def encode_record(record: Record) -> bytes:
    """Returns the line of a record, with its line break."""
    kind = type(record)
    values: dict[str, Any] = {"type": _NAMES[kind]}
    for name in _FIELDS[kind]:
        values[name] = getattr(record, name)
    match record:
        case Session():
            values["forked_from"] = record.forked_from and list(record.forked_from)
        case Message():
            values["parts"] = [part_to_json(part) for part in record.parts]
        case Event():
            # The message stands in the archive itself, as it is now.
            del values["message"]
        case IdempotencyRecord():
            sequences = record.sequences
            values["sequences"] = [sequences.start, len(sequences)]
        case Damage():
            values["content"] = base64.b64encode(record.content).decode()
        case _:
            pass
    return orjson.dumps(values, default=asdict, option=orjson.OPT_APPEND_NEWLINE)


def decode_record(content: bytes) -> Record:
    """Returns the record of a line. Raises `Unreadable`, saying what is wrong with it."""
    values = parse_record(Line(1, content), depth=_DEPTH)
    kind = values.pop("type", None)
    decode = _DECODERS.get(kind) if isinstance(kind, str) else None
    if decode is None:
        raise Unreadable(f"the type {kind!r} of the record is unknown")
    taken = Fields(values)
    record = decode(taken)
    taken.finish()
    return record


def _user(taken: Fields) -> User:
    return User(UserId(taken.text("id")), taken.optional_text("display_name"))


def _agent(taken: Fields) -> Agent:
    return Agent(AgentId(taken.text("id")), taken.optional_text("display_name"))


def _profile(taken: Fields) -> Profile:
    return Profile(ProfileId(taken.text("id")), taken.optional_text("display_name"))


def _session(taken: Fields) -> Session:
    return Session(
        id=_session_id(taken, "id"),
        key=taken.text("key"),
        owner_id=_owner(taken),
        agent_id=_optional_agent(taken, "agent_id"),
        peer_agent_id=_optional_agent(taken, "peer_agent_id"),
        profile_id=_optional_profile(taken),
        title=taken.optional_text("title"),
        kind=taken.choice("kind", SessionKind),
        channel=taken.optional_text("channel"),
        forked_from=_forked_from(taken),
        metadata=taken.mapping("metadata"),
        pinned_at=taken.optional_timestamp("pinned_at"),
        starred_at=taken.optional_timestamp("starred_at"),
        archived_at=taken.optional_timestamp("archived_at"),
        created_at=taken.timestamp("created_at"),
        updated_at=taken.timestamp("updated_at"),
        last_message_at=taken.optional_timestamp("last_message_at"),
        last_activity_at=taken.timestamp("last_activity_at"),
        message_count=taken.integer("message_count"),
        archived_message_count=taken.integer("archived_message_count"),
        preview=taken.optional_text("preview"),
        last_sequence=Sequence(taken.integer("last_sequence")),
        epoch=Epoch(taken.text("epoch")),
        revision=Revision(taken.integer("revision")),
    )


def _message(taken: Fields) -> Message:
    return Message(
        session_id=_session_id(taken, "session_id"),
        sequence=Sequence(taken.integer("sequence")),
        role=taken.choice("role", MessageRole),
        status=taken.choice("status", MessageStatus),
        parts=tuple([_part(stored) for stored in taken.items("parts")]),
        preview=taken.optional_text("preview"),
        sender=_sender(taken.optional_mapping("sender")),
        model=taken.optional_text("model"),
        usage=taken.optional_mapping("usage"),
        metadata=taken.mapping("metadata"),
        created_at=taken.timestamp("created_at"),
        edited_at=taken.optional_timestamp("edited_at"),
        archived_at=taken.optional_timestamp("archived_at"),
    )


def _event(taken: Fields) -> Event:
    sequence = taken.optional_integer("sequence")
    return Event(
        session_id=_session_id(taken, "session_id"),
        revision=Revision(taken.integer("revision")),
        kind=taken.choice("kind", EventKind),
        at=taken.timestamp("at"),
        sequence=None if sequence is None else Sequence(sequence),
        data=taken.mapping("data"),
        message=None,
    )


def _idempotency(taken: Fields) -> IdempotencyRecord:
    idempotency = Fields(taken.mapping("idempotency"))
    pair = taken.pair("sequences")
    if pair is None or not all(type(number) is int and number >= 0 for number in pair):
        raise Unreadable("sequences is not a first number and a count")
    record = IdempotencyRecord(
        session_id=_session_id(taken, "session_id"),
        idempotency=Idempotency(idempotency.text("key"), idempotency.text("digest")),
        revision=Revision(taken.integer("revision")),
        sequences=range(pair[0], pair[0] + pair[1]),
        affected=taken.integer("affected"),
        at=taken.timestamp("at"),
    )
    idempotency.finish()
    return record


def _deletion(taken: Fields) -> Deletion:
    return Deletion(
        session_id=_session_id(taken, "session_id"),
        owner_id=_owner(taken),
        epoch=Epoch(taken.text("epoch")),
        revision=Revision(taken.integer("revision")),
        at=taken.timestamp("at"),
    )


def _damage(taken: Fields) -> Damage:
    try:
        content = base64.b64decode(taken.text("content"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable("content is not base64") from error
    return Damage(taken.text("source"), taken.integer("line"), taken.text("reason"), content)


_DECODERS: Mapping[str, Callable[[Fields], Record]] = {
    "user": _user,
    "agent": _agent,
    "profile": _profile,
    "session": _session,
    "message": _message,
    "event": _event,
    "idempotency": _idempotency,
    "deletion": _deletion,
    "damage": _damage,
}


def _session_id(taken: Fields, name: str) -> SessionId:
    value = taken.text(name)
    if len(value) != 32 or value.strip("0123456789abcdef"):
        raise Unreadable(f"{name} is not 32 hexadecimal digits")
    return SessionId(value)


def _owner(taken: Fields) -> UserId | None:
    owner = taken.optional_text("owner_id")
    return None if owner is None else UserId(owner)


def _optional_agent(taken: Fields, name: str) -> AgentId | None:
    agent = taken.optional_text(name)
    return None if agent is None else AgentId(agent)


def _optional_profile(taken: Fields) -> ProfileId | None:
    profile = taken.optional_text("profile_id")
    return None if profile is None else ProfileId(profile)


def _forked_from(taken: Fields) -> MessageId | None:
    pair = taken.pair("forked_from")
    if pair is None:
        return None
    session_id, sequence = pair
    if not isinstance(session_id, str) or type(sequence) is not int or sequence < 0:
        raise Unreadable("forked_from is not a session's id and a sequence")
    return MessageId(SessionId(session_id), Sequence(sequence))


def _sender(stored: Mapping[str, Any] | None) -> Sender | None:
    if stored is None:
        return None
    taken = Fields(stored)
    name, user, agent = (taken.optional_text(name) for name in ("name", "user_id", "agent_id"))
    taken.finish()
    return Sender(
        name,
        None if user is None else UserId(user),
        None if agent is None else AgentId(agent),
    )


def _part(stored: object) -> Part:
    if not isinstance(stored, dict) or not isinstance(stored.get("type"), str):
        raise Unreadable("one of the parts is no object with a type")
    part = part_from_json(stored)
    for field in fields(part):
        wanted = _PART_TYPES.get(field.name, str)
        value = getattr(part, field.name)
        # A field that may be null is null by default.
        if type(value) is not wanted and not (value is None and field.default is None):
            raise Unreadable(f"{field.name} of a {stored['type']} part is of the wrong type")
    return part


_PART_TYPES: Mapping[str, type[Any]] = {"size": int, "is_error": bool, "data": dict}
