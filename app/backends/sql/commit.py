"""Carrying out commits inside a transaction: the one place where anything is written.

Runs on a plain connection (under `AsyncConnection.run_sync`), inside a transaction that keeps
other writers of the same session away: on SQLite the one writer, elsewhere the session's row lock.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select

from app.backends.protocol import Scope
from app.backends.sql.dialects import insert_missing
from app.backends.sql.draft import SessionDraft
from app.backends.sql.message_changes import (
    add_messages,
    archive_messages,
    copy_messages,
    delete_message,
    edit_message,
    truncate_messages,
)
from app.backends.sql.rows import (
    IDEMPOTENCY_COLUMNS,
    SESSION_COLUMNS,
    encode_json,
    from_deletion,
    from_idempotency_record,
    from_session,
    owner_to_column,
    to_idempotency_record,
    to_session,
)
from app.backends.sql.tables import (
    agents,
    deletions,
    events,
    idempotency_keys,
    messages,
    profiles,
    sessions,
    users,
)
from app.model.changes import (
    AddMessages,
    ArchiveMessages,
    ArchiveSession,
    Change,
    Commit,
    Committed,
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
from app.model.errors import Conflict, InvalidInput, NotFound
from app.model.events import EventKind
from app.model.identifiers import Position, Revision, Sequence, SessionId
from app.model.records import Deletion, IdempotencyRecord
from app.model.session import Session
from app.model.timestamps import Timestamp

_STATE = select(*SESSION_COLUMNS, sessions.c.archived_through)


def carry_out(connection: Connection, commit: Commit, scope: Scope) -> Committed:
    """Applies one commit and answers its result.

    Raises the `ScrollbackError` that refuses it; the caller then takes the transaction back to
    where it was before.
    """
    replayed = _replay(connection, commit, scope)
    if replayed is not None:
        return replayed
    changes = commit.changes
    if changes and isinstance(changes[0], CreateSession):
        draft = _create(connection, commit, changes[0], scope)
        if isinstance(draft, Committed):
            return draft
        changes = changes[1:]
    else:
        draft = _open(connection, commit, scope)
    if changes == (DeleteSession(),):
        committed = _delete(draft)
    else:
        for change in changes:
            _apply(draft, change, scope)
        draft.write()
        committed = Committed(draft.position, draft.sequences, draft.affected, draft.session)
    _remember(connection, commit, committed)
    return committed


def _remember(connection: Connection, commit: Commit, committed: Committed) -> None:
    if commit.idempotency is None:
        return
    record = IdempotencyRecord(
        session_id=commit.session_id,
        idempotency=commit.idempotency,
        revision=committed.position.revision,
        sequences=committed.sequences,
        affected=committed.affected,
        at=commit.at,
    )
    connection.execute(insert(idempotency_keys), from_idempotency_record(record))


def _in_scope(statement: Select[Any], scope: Scope) -> Select[Any]:
    if scope.owner is None:
        return statement
    return statement.where(sessions.c.owner_id == scope.owner)


def _replay(connection: Connection, commit: Commit, scope: Scope) -> Committed | None:
    if commit.idempotency is None:
        return None
    row = connection.execute(
        select(*IDEMPOTENCY_COLUMNS).where(
            idempotency_keys.c.session_id == commit.session_id,
            idempotency_keys.c.key == commit.idempotency.key,
        )
    ).one_or_none()
    if row is None:
        return None
    record = to_idempotency_record(row)
    session, epoch = _present_state(connection, commit.session_id, scope)
    if record.idempotency.digest != commit.idempotency.digest:
        raise Conflict("this idempotency key was used for another request", session)
    return Committed(
        position=Position(epoch, record.revision),
        sequences=record.sequences,
        affected=record.affected,
        session=session,
        replayed=True,
    )


def _present_state(
    connection: Connection, session_id: SessionId, scope: Scope
) -> tuple[Session | None, Any]:
    row = connection.execute(
        _in_scope(select(*SESSION_COLUMNS).where(sessions.c.id == session_id), scope)
    ).one_or_none()
    if row is not None:
        session = to_session(row)
        return session, session.epoch
    deleted = select(deletions.c.epoch).where(deletions.c.session_id == session_id)
    if scope.owner is not None:
        deleted = deleted.where(deletions.c.owner_id == scope.owner)
    epoch = connection.execute(deleted).scalar()
    if epoch is None:
        raise _not_found()
    return None, epoch


def _not_found() -> NotFound:
    return NotFound("no such session")


def _open(connection: Connection, commit: Commit, scope: Scope) -> SessionDraft:
    row = connection.execute(
        _in_scope(_STATE.where(sessions.c.id == commit.session_id), scope).with_for_update()
    ).one_or_none()
    if row is None:
        raise _not_found()
    *state, archived_through = row
    session = to_session(state)
    if commit.expected is not None and commit.expected != session.revision:
        raise Conflict(
            f"the session is at revision {session.revision}, not {commit.expected}", session
        )
    return SessionDraft(connection, session, archived_through, commit.at)


def _create(
    connection: Connection, commit: Commit, creation: CreateSession, scope: Scope
) -> SessionDraft | Committed:
    if scope.owner is not None and creation.owner_id != scope.owner:
        raise InvalidInput("a session can only be created for its own owner here")
    owner = owner_to_column(creation.owner_id)
    row = connection.execute(
        select(*SESSION_COLUMNS).where(sessions.c.owner_id == owner, sessions.c.key == creation.key)
    ).one_or_none()
    if row is not None:
        existing = to_session(row)
        if not creation.get_existing:
            raise Conflict("there is a session with this key already", existing)
        return Committed(existing.position, range(0), 0, existing, existing=True)
    if connection.execute(select(sessions.c.id).where(sessions.c.id == commit.session_id)).scalar():
        raise Conflict("there is a session with this id already")
    connection.execute(delete(deletions).where(deletions.c.session_id == commit.session_id))
    _add_to_directory(connection, creation)
    session = _new_session(commit, creation)
    connection.execute(insert(sessions), from_session(session, archived_through=0))
    draft = SessionDraft(connection, session, 0, commit.at)
    draft.record(EventKind.SESSION_CREATED)
    return draft


def _new_session(commit: Commit, creation: CreateSession) -> Session:
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


def _add_to_directory(connection: Connection, creation: CreateSession) -> None:
    if creation.owner_id is not None:
        insert_missing(connection, users, [{"id": creation.owner_id}])
    named = [{"id": i} for i in (creation.agent_id, creation.peer_agent_id) if i is not None]
    insert_missing(connection, agents, named)
    if creation.profile_id is not None:
        insert_missing(connection, profiles, [{"id": creation.profile_id}])


def _delete(draft: SessionDraft) -> Committed:
    connection, session = draft.connection, draft.session
    connection.execute(delete(events).where(events.c.session_id == session.id))
    removed = connection.execute(delete(messages).where(messages.c.session_id == session.id))
    connection.execute(delete(sessions).where(sessions.c.id == session.id))
    position = Position(session.epoch, Revision(session.revision + 1))
    deletion = Deletion(session.id, session.owner_id, *position, draft.at)
    connection.execute(insert(deletions), from_deletion(deletion))
    return Committed(position, range(0), removed.rowcount, session=None)


def _set_mark(
    draft: SessionDraft, kind: EventKind, column: str, present: Timestamp | None, on: bool
) -> None:
    if on is (present is not None):
        return
    mark: dict[str, Any] = {column: draft.at if on else None}
    draft.record(kind, data=mark, **mark)


def _apply(draft: SessionDraft, change: Change, scope: Scope) -> None:
    session = draft.session
    match change:
        case RenameSession(title=title):
            if title != session.title:
                draft.record(EventKind.SESSION_RENAMED, data={"title": title}, title=title)
        case PinSession(pinned=on):
            _set_mark(draft, EventKind.SESSION_PINNED, "pinned_at", session.pinned_at, on)
        case StarSession(starred=on):
            _set_mark(draft, EventKind.SESSION_STARRED, "starred_at", session.starred_at, on)
        case ArchiveSession(archived=on):
            _set_mark(draft, EventKind.SESSION_ARCHIVED, "archived_at", session.archived_at, on)
        case SetMetadata(metadata=metadata):
            # As text: in Python true equals 1.
            if encode_json(metadata) != encode_json(session.metadata):
                draft.record(
                    EventKind.SESSION_METADATA_SET,
                    data={"metadata": metadata},
                    metadata=metadata,
                )
        case CreateSession():
            raise InvalidInput("a session can only be created by the first change of a commit")
        case DeleteSession():
            raise InvalidInput("a session's deletion is a commit of its own")
        case AddMessages(messages=added):
            add_messages(draft, added)
        case CopyMessages():
            if not draft.is_new or session.last_sequence:
                raise InvalidInput("messages can only be copied into a new, empty session")
            copy_messages(draft, change, scope)
        case EditMessage():
            edit_message(draft, change)
        case DeleteMessage(sequence=sequence):
            delete_message(draft, sequence)
        case TruncateMessages(after=after):
            truncate_messages(draft, after)
        case ArchiveMessages(through=through):
            archive_messages(draft, through)
