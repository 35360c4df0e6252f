"""Carrying out a commit on a draft: what each change tells, and what refuses it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from app.backends.files.catalogue import Row
from app.backends.files.draft import Draft, ReadMessage
from app.model.changes import (
    AddMessages,
    ArchiveMessages,
    ArchiveSession,
    Change,
    Commit,
    CopyMessages,
    CreateSession,
    DeleteMessage,
    DeleteSession,
    EditMessage,
    PinSession,
    RenameSession,
    SetMetadata,
    StarSession,
    TruncateMessages,
)
from app.model.events import EventKind
from app.model.identifiers import Revision, Sequence, SessionId
from app.model.message import Message, NewMessage
from app.model.refusals import (
    copy_into_used_session,
    creation_not_first,
    deletion_not_alone,
    no_such_message,
)
from app.model.session import Session
from app.model.timestamps import Timestamp

ReadSource = Callable[[SessionId, Sequence | None], Iterable[Message]]
"""Returns a session's messages up to one, or all. `NotFound` where either is not there."""


def new_session(commit: Commit, creation: CreateSession) -> Session:
    """Returns the session that a commit makes, before its first event."""
    return Session(
        id=commit.session_id,
        key=creation.key,
        owner_id=creation.owner_id,
        agent_id=creation.agent_id,
        peer_agent_id=creation.peer_agent_id,
        profile_id=creation.profile_id,
        title=creation.title,
        kind=creation.kind,
        channel=creation.channel,
        forked_from=creation.forked_from,
        metadata=creation.metadata,
        pinned_at=None,
        starred_at=None,
        archived_at=None,
        created_at=commit.at,
        updated_at=commit.at,
        last_message_at=None,
        last_activity_at=commit.at,
        message_count=0,
        archived_message_count=0,
        preview=None,
        last_sequence=Sequence(0),
        epoch=creation.epoch,
        revision=Revision(0),
    )


def carry_out(draft: Draft, commit: Commit, read: ReadMessage, read_source: ReadSource) -> None:
    """Applies the changes of a commit in order, and remembers its attempt.

    Raises the error that refuses it; whoever called throws the draft away then.
    """
    for index, change in enumerate(commit.changes):
        if isinstance(change, CreateSession):
            if index > 0:
                raise creation_not_first()
            draft.tell(EventKind.SESSION_CREATED, commit.at)
        elif isinstance(change, CopyMessages):
            _copy_messages(draft, commit, read_source, change)
        else:
            _apply(draft, change, commit.at, read)
    draft.finish()
    if commit.idempotency is not None:
        draft.attempt(commit.idempotency, commit.at)


def _apply(draft: Draft, change: Change, at: Timestamp, read: ReadMessage) -> None:
    match change:
        case RenameSession(title=title):
            _set_field(draft, EventKind.SESSION_RENAMED, "title", title, at)
        case PinSession(pinned=on):
            _set_mark(draft, EventKind.SESSION_PINNED, "pinned_at", on, at)
        case StarSession(starred=on):
            _set_mark(draft, EventKind.SESSION_STARRED, "starred_at", on, at)
        case ArchiveSession(archived=on):
            _set_mark(draft, EventKind.SESSION_ARCHIVED, "archived_at", on, at)
        case SetMetadata(metadata=metadata):
            _set_field(draft, EventKind.SESSION_METADATA_SET, "metadata", metadata, at)
        case DeleteSession():
            raise deletion_not_alone()
        case AddMessages(messages=added):
            for new in added:
                _add_message(draft, new, at)
        case EditMessage():
            _edit_message(draft, change, at, read)
        case DeleteMessage(sequence=sequence):
            _require(draft, sequence)
            draft.affected += 1
            draft.tell(EventKind.MESSAGE_DELETED, at, sequence=sequence)
        case TruncateMessages(after=after):
            _truncate(draft, after, at)
        case ArchiveMessages(through=through):
            _archive(draft, through, at)
        case _:
            raise AssertionError(f"{type(change).__name__} is carried out elsewhere")


def _set_field(draft: Draft, kind: EventKind, name: str, value: Any, at: Timestamp) -> None:
    if differ(getattr(draft.session, name), value):
        draft.tell(kind, at, data={name: value}, **{name: value})


def _set_mark(draft: Draft, kind: EventKind, name: str, on: bool, at: Timestamp) -> None:
    if on is not (getattr(draft.session, name) is not None):
        mark: dict[str, Any] = {name: at if on else None}
        draft.tell(kind, at, data=mark, **mark)


def _add_message(draft: Draft, new: NewMessage, at: Timestamp) -> None:
    sequence = Sequence(draft.session.last_sequence + 1)
    message = Message(
        session_id=draft.session.id,
        sequence=sequence,
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
    draft.numbered.append(sequence)
    draft.tell(EventKind.MESSAGE_ADDED, at, sequence=sequence, message=message)


def _copy_messages(
    draft: Draft, commit: Commit, read_source: ReadSource, change: CopyMessages
) -> None:
    if not isinstance(commit.changes[0], CreateSession) or draft.session.message_count:
        raise copy_into_used_session()
    for message in read_source(change.source_id, change.through):
        copied = replace(message, session_id=draft.session.id)
        draft.tell(EventKind.MESSAGE_ADDED, commit.at, sequence=message.sequence, message=copied)
        draft.affected += 1


def _edit_message(draft: Draft, change: EditMessage, at: Timestamp, read: ReadMessage) -> None:
    row = _require(draft, change.sequence)
    before = draft.contents.get(change.sequence) or read(row)
    before = replace(before, archived_at=row.archived_at)
    given: dict[str, Any] = {
        name: value
        for name in ("parts", "status", "model", "usage", "metadata")
        if (value := getattr(change, name)) is not None
    }
    if change.parts is not None:
        given["preview"] = change.preview
    if any(differ(getattr(before, name), value) for name, value in given.items()):
        after = replace(before, edited_at=at, **given)
        draft.tell(EventKind.MESSAGE_EDITED, at, sequence=change.sequence, message=after)


def _truncate(draft: Draft, after: Sequence, at: Timestamp) -> None:
    if after:
        _require(draft, after)
    count = len(draft.rows.between(after, draft.session.last_sequence))
    if count:
        draft.affected += count
        draft.tell(EventKind.MESSAGES_TRUNCATED, at, data={"after": after, "count": count})


def _archive(draft: Draft, through: Sequence, at: Timestamp) -> None:
    _require(draft, through)
    count = len(draft.rows.between(draft.archived_through, through))
    if count:
        draft.affected += count
        data = {"through": through, "count": count}
        draft.tell(EventKind.MESSAGES_ARCHIVED, at, data=data)


def _require(draft: Draft, sequence: Sequence) -> Row:
    row = draft.rows.get(sequence)
    if row is None:
        raise no_such_message()
    return row


def differ(one: Any, other: Any) -> bool:
    """Answers whether two values differ as JSON does: true is not 1, and 1 is not 1.0."""
    return bool(one != other) or repr(one) != repr(other)
