"""The changes of a session's messages, each with its counters and its event."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from sqlalchemy import BigInteger, delete, func, insert, literal, select, update

from app.backends.protocol import Scope
from app.backends.sql.draft import Draft, SessionDraft
from app.backends.sql.rows import (
    MESSAGE_COLUMNS,
    encode_json,
    from_message,
    owner_to_column,
    parts_to_column,
    to_message,
)
from app.backends.sql.search_index import IndexedText
from app.backends.sql.tables import agents, events, messages, sessions, users
from app.model.changes import CopyMessages, EditMessage
from app.model.errors import NotFound
from app.model.events import EventKind
from app.model.identifiers import Revision, Sequence
from app.model.message import MessageRole, MessageStatus, NewMessage
from app.model.refusals import no_such_message, no_such_source
from app.model.search_text import normal_text

# To look a value up takes a fifth of what it takes to ask the member for it.
_ROLES = {role: role.value for role in MessageRole}
_STATUSES = {status: status.value for status in MessageStatus}

_MESSAGE_ADDED = EventKind.MESSAGE_ADDED.value


def add_messages(draft: Draft, added: tuple[NewMessage, ...]) -> None:
    """Adds messages at the end, each with an event."""
    at, session = draft.at, draft.session
    created_at = at
    session_id, preview = session.id, session.preview
    sequence: int = session.last_sequence
    revision: int = session.revision
    for message in added:
        sequence += 1
        revision += 1
        created_at = message.created_at or at
        parts, shown, sender = message.parts, message.preview, message.sender
        name = user_id = agent_id = None
        if sender is not None:
            name, user_id, agent_id = sender.name, sender.user_id, sender.agent_id
            draft.name(users, user_id)
            draft.name(agents, agent_id)
        if shown is not None:
            preview = shown
        draft.messages.append(
            (
                session_id,
                sequence,
                _ROLES[message.role],
                _STATUSES[message.status],
                parts_to_column(parts),
                shown,
                name,
                user_id,
                agent_id,
                message.model,
                None if message.usage is None else encode_json(message.usage),
                encode_json(message.metadata) if message.metadata else "{}",
                created_at,
                None,
                None,
            )
        )
        draft.events.append((session_id, revision, _MESSAGE_ADDED, at, sequence, None))
        draft.texts.append(IndexedText(session_id, sequence, created_at, normal_text(parts)))
    if added:
        draft.count_added(Sequence(sequence), created_at, preview)


def copy_messages(draft: SessionDraft, change: CopyMessages, scope: Scope) -> None:
    """Copies another session's messages, with their numbers, and an event for each."""
    connection = draft.connection
    source = select(sessions.c.archived_through).where(sessions.c.id == change.source_id)
    if scope.owner is not None:
        source = source.where(sessions.c.owner_id == owner_to_column(scope.owner))
    # Held until the end of the transaction, so that border and messages are of one moment.
    archived_through = connection.execute(source.with_for_update(read=True)).scalar()
    # The commit's own session is not there yet as a source.
    if archived_through is None or change.source_id == draft.session.id:
        raise no_such_source()
    copied = messages.c.session_id == change.source_id
    if change.through is not None:
        _require_message(draft, change.source_id, change.through)
        copied &= messages.c.sequence <= change.through
    columns = [column for column in MESSAGE_COLUMNS if column is not messages.c.session_id]
    connection.execute(
        insert(messages).from_select(
            ["session_id", *[column.name for column in columns]],
            select(literal(draft.session.id), *columns).where(copied),
        )
    )
    total, archived, highest = draft.count_messages()
    if not total:
        return
    draft.dialect.search.add_messages(connection, draft.session.id)
    draft.write_events()
    revision = draft.session.revision
    connection.execute(
        insert(events).from_select(
            ["session_id", "revision", "kind", "at", "sequence"],
            select(
                literal(draft.session.id),
                literal(revision, BigInteger)
                + func.row_number().over(order_by=messages.c.sequence),
                literal(EventKind.MESSAGE_ADDED.value),
                literal(draft.at),
                messages.c.sequence,
            ).where(messages.c.session_id == draft.session.id),
        )
    )
    draft.affected += total
    draft.archive_through(min(archived_through, highest))
    draft.change(
        revision=Revision(revision + total),
        last_sequence=Sequence(highest),
        message_count=total,
        archived_message_count=archived,
        **draft.recount_last(),
    )


def edit_message(draft: SessionDraft, change: EditMessage) -> None:
    """Replaces what is given of a message."""
    draft.write_messages()
    mine = (
        messages.c.session_id == draft.session.id,
        messages.c.sequence == change.sequence,
    )
    row = draft.connection.execute(select(*MESSAGE_COLUMNS).where(*mine)).one_or_none()
    if row is None:
        raise _no_such_message()
    before = to_message(row)
    given: dict[str, Any] = {
        name: value
        for name in ("parts", "status", "model", "usage", "metadata")
        if (value := getattr(change, name)) is not None
    }
    if change.parts is not None:
        given["preview"] = change.preview
    stored, after = from_message(before), from_message(replace(before, **given))
    if after == stored:
        return
    after["edited_at"] = draft.at
    reworded = normal_text(before.parts) != (
        normal := normal_text(given.get("parts", before.parts))
    )
    search = draft.dialect.search
    if reworded:
        search.remove(draft.connection, draft.session.id, change.sequence, change.sequence)
    draft.connection.execute(
        update(messages).where(*mine).values({name: after[name] for name in [*given, "edited_at"]})
    )
    if reworded:
        text = IndexedText(draft.session.id, change.sequence, before.created_at, normal)
        search.add(draft.connection, [text])
    draft.record(EventKind.MESSAGE_EDITED, sequence=change.sequence, **draft.recount_last())


def delete_message(draft: SessionDraft, sequence: Sequence) -> None:
    """Deletes one message."""
    draft.write_messages()
    draft.dialect.search.remove(draft.connection, draft.session.id, sequence, sequence)
    removed = draft.connection.execute(
        delete(messages).where(
            messages.c.session_id == draft.session.id, messages.c.sequence == sequence
        )
    ).rowcount
    if not removed:
        raise _no_such_message()
    draft.affected += 1
    archived = sequence <= draft.archived_through
    draft.record(
        EventKind.MESSAGE_DELETED,
        sequence=sequence,
        message_count=draft.session.message_count - 1,
        archived_message_count=draft.session.archived_message_count - archived,
        **draft.recount_last(),
    )


def truncate_messages(draft: SessionDraft, after: Sequence) -> None:
    """Deletes every message after one."""
    draft.write_messages()
    if after:
        _require_message(draft, draft.session.id, after)
    draft.dialect.search.remove(draft.connection, draft.session.id, after + 1)
    removed = draft.connection.execute(
        delete(messages).where(
            messages.c.session_id == draft.session.id, messages.c.sequence > after
        )
    ).rowcount
    if not removed:
        return
    draft.affected += removed
    left = draft.session.message_count - removed
    draft.record(
        EventKind.MESSAGES_TRUNCATED,
        data={"after": after, "count": removed},
        message_count=left,
        # Cut inside the archive, what is left is archived, all of it.
        archived_message_count=min(left, draft.session.archived_message_count),
        **draft.recount_last(),
    )


def archive_messages(draft: SessionDraft, through: Sequence) -> None:
    """Archives every active message up to and with one."""
    draft.write_messages()
    _require_message(draft, draft.session.id, through)
    archived = draft.connection.execute(
        update(messages)
        .where(
            messages.c.session_id == draft.session.id,
            messages.c.sequence > draft.archived_through,
            messages.c.sequence <= through,
        )
        .values(archived_at=draft.at)
    ).rowcount
    if not archived:
        return
    draft.affected += archived
    draft.archive_through(through)
    draft.record(
        EventKind.MESSAGES_ARCHIVED,
        data={"through": through, "count": archived},
        archived_message_count=draft.session.archived_message_count + archived,
    )


def _require_message(draft: SessionDraft, session_id: str, sequence: Sequence) -> None:
    found = draft.connection.execute(
        select(literal(1)).where(
            messages.c.session_id == session_id, messages.c.sequence == sequence
        )
    ).scalar()
    if found is None:
        raise _no_such_message()


def _no_such_message() -> NotFound:
    return no_such_message()
