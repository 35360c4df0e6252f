"""Operations on the messages of a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from app.model.changes import (
    AddMessages,
    ArchiveMessages,
    Change,
    Committed,
    DeleteMessage,
    EditMessage,
    TruncateMessages,
)
from app.model.errors import InvalidInput, ScrollbackError
from app.model.identifiers import MessageId, Revision, SessionId
from app.model.identifiers import Sequence as MessageNumber
from app.model.message import Message, MessageStatus, NewMessage
from app.model.parts import Part
from app.model.session import Session
from app.model.timestamps import Timestamp, now
from app.resolvers.attempts import Attempt
from app.resolvers.commits import commit_changes
from app.resolvers.scopes import read_scope
from app.resolvers.services import Services
from app.resolvers.sessions import present_session
from app.rules.caller import Caller
from app.rules.messages import check_message_details, check_messages, check_parts
from app.rules.previews import preview_of


class Added(Struct, frozen=True):
    """Messages that were added. `removed` counts those that had to go for them."""

    session: Session
    messages: tuple[Message, ...]
    removed: int = 0


@dataclass(frozen=True, slots=True)
class Edited:
    """A message that was edited; None where somebody has deleted it since."""

    session: Session
    message: Message | None


@dataclass(frozen=True, slots=True)
class Moved:
    """How many messages were deleted or archived."""

    session: Session
    count: int


@dataclass(frozen=True, slots=True)
class MessageEdit:
    """What to replace of a message; None leaves a field as it is."""

    parts: tuple[Part, ...] | None = None
    status: MessageStatus | None = None
    model: str | None = None
    usage: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] | None = None


async def add_messages(
    services: Services,
    caller: Caller,
    session_id: SessionId,
    messages: Sequence[NewMessage],
    *,
    idempotency_key: str | None = None,
) -> Added:
    """Adds messages at the end of a session, in this order.

    Appends commute, so they need no expected revision.
    """
    if not messages:
        raise InvalidInput("There is no message to add.", ("messages",))
    check_messages(messages, services.limits)
    at = now()
    new = with_previews(messages)
    committed = await commit_changes(
        services,
        caller,
        session_id,
        (AddMessages(new),),
        Attempt("addMessages", (session_id, messages), idempotency_key),
        at=at,
    )
    return await _added(services, caller, committed, session_id, new, at)


async def replace_messages(
    services: Services,
    caller: Caller,
    session_id: SessionId,
    messages: Sequence[NewMessage],
    *,
    expected: Revision | None = None,
    idempotency_key: str | None = None,
) -> Added:
    """Deletes all messages of a session, archived ones too, and adds these, in one step."""
    check_messages(messages, services.limits)
    at = now()
    new = with_previews(messages)
    changes: tuple[Change, ...] = (TruncateMessages(MessageNumber(0)),)
    if new:
        changes = (*changes, AddMessages(new))
    committed = await commit_changes(
        services,
        caller,
        session_id,
        changes,
        Attempt("replaceMessages", (session_id, messages, expected), idempotency_key),
        expected=expected,
        at=at,
    )
    return await _added(services, caller, committed, session_id, new, at)


async def edit_message(
    services: Services,
    caller: Caller,
    message_id: MessageId,
    edit: MessageEdit,
    *,
    expected: Revision | None = None,
    idempotency_key: str | None = None,
) -> Edited:
    """Replaces what is given of one message."""
    limits = services.limits
    if edit == MessageEdit():
        raise InvalidInput("There is nothing to replace: give at least one field.")
    if edit.parts is not None:
        check_parts(edit.parts, ("parts",), limits)
    check_message_details(edit.model, edit.usage, edit.metadata, (), limits)
    preview = None
    if edit.parts is not None:
        present = await _find_message(services, caller, message_id)
        # The commit says that it is not there, or that this attempt was made while it was.
        preview = None if present is None else preview_of(present.role, edit.parts)
    change = EditMessage(
        sequence=message_id.sequence,
        parts=edit.parts,
        preview=preview,
        status=edit.status,
        model=edit.model,
        usage=edit.usage,
        metadata=edit.metadata,
    )
    committed = await commit_changes(
        services,
        caller,
        message_id.session_id,
        (change,),
        Attempt("editMessage", (message_id, edit, expected), idempotency_key),
        expected=expected,
    )
    message = await _find_message(services, caller, message_id)
    return Edited(present_session(committed), message)


async def delete_message(
    services: Services,
    caller: Caller,
    message_id: MessageId,
    *,
    expected: Revision | None = None,
    idempotency_key: str | None = None,
) -> Session:
    """Deletes one message; answers its session."""
    committed = await commit_changes(
        services,
        caller,
        message_id.session_id,
        (DeleteMessage(message_id.sequence),),
        Attempt("deleteMessage", (message_id, expected), idempotency_key),
        expected=expected,
    )
    return present_session(committed)


async def truncate_messages(
    services: Services,
    caller: Caller,
    after: MessageId,
    *,
    expected: Revision | None = None,
    idempotency_key: str | None = None,
) -> Moved:
    """Deletes every message after that one (sequence 0: all of them), archived ones too."""
    committed = await commit_changes(
        services,
        caller,
        after.session_id,
        (TruncateMessages(after.sequence),),
        Attempt("truncateMessages", (after, expected), idempotency_key),
        expected=expected,
    )
    return Moved(present_session(committed), committed.affected)


async def archive_messages(
    services: Services,
    caller: Caller,
    through: MessageId,
    *,
    expected: Revision | None = None,
    idempotency_key: str | None = None,
) -> Moved:
    """Archives every active message up to and with that one."""
    committed = await commit_changes(
        services,
        caller,
        through.session_id,
        (ArchiveMessages(through.sequence),),
        Attempt("archiveMessages", (through, expected), idempotency_key),
        expected=expected,
    )
    return Moved(present_session(committed), committed.affected)


def with_previews(messages: Sequence[NewMessage]) -> tuple[NewMessage, ...]:
    """Returns the messages with what a list of sessions shows of them."""
    return tuple(
        [replace(message, preview=preview_of(message.role, message.parts)) for message in messages]
    )


async def _find_message(
    services: Services, caller: Caller, message_id: MessageId
) -> Message | None:
    found = await services.backend.get_messages([message_id], read_scope(caller))
    message = found.get(message_id)
    if isinstance(message, ScrollbackError):
        raise message
    return message


async def _added(
    services: Services,
    caller: Caller,
    committed: Committed,
    session_id: SessionId,
    new: tuple[NewMessage, ...],
    at: Timestamp,
) -> Added:
    """Returns the added messages: as they were committed, or, for a replay, as they are now."""
    session = present_session(committed)
    if not committed.replayed:
        numbered = zip(new, committed.sequences, strict=True)
        messages = [_as_committed(one, session_id, number, at) for one, number in numbered]
        return Added(session, tuple(messages), committed.affected)
    ids = [MessageId(session_id, MessageNumber(number)) for number in committed.sequences]
    found = await services.backend.get_messages(ids, read_scope(caller)) if ids else {}
    present = [found[message_id] for message_id in ids if message_id in found]
    for message in present:
        if isinstance(message, ScrollbackError):
            raise message
    still_there = tuple(message for message in present if isinstance(message, Message))
    return Added(session, still_there, committed.affected)


def _as_committed(new: NewMessage, session_id: SessionId, number: int, at: Timestamp) -> Message:
    """Returns a message as the commit made it; reading it back would cost a statement."""
    return Message(
        session_id=session_id,
        sequence=MessageNumber(number),
        role=new.role,
        status=new.status,
        parts=new.parts,
        preview=new.preview,
        sender=new.sender,
        model=new.model,
        usage=new.usage,
        metadata=new.metadata,
        created_at=new.created_at or at,
        edited_at=None,
        archived_at=None,
    )
