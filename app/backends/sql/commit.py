"""Carrying out commits inside a transaction: the one place where anything is written.

Runs on a plain connection (under `AsyncConnection.run_sync`), inside a transaction that keeps
other writers of the same session away: on SQLite the one writer, elsewhere the session's row lock.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert, select

from app.backends.protocol import Scope
from app.backends.sql.dialects.dialect import Dialect
from app.backends.sql.draft import Draft, SessionDraft
from app.backends.sql.idempotency import (
    in_scope,
    remember,
    replay,
)
from app.backends.sql.message_changes import (
    add_messages,
    archive_messages,
    copy_messages,
    delete_message,
    edit_message,
    truncate_messages,
)
from app.backends.sql.rows import (
    SESSION_COLUMNS,
    encode_json,
    from_deletion,
    from_session,
    owner_to_column,
    to_session,
)
from app.backends.sql.search_index import TITLE
from app.backends.sql.tables import (
    agents,
    deletions,
    events,
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
from app.model.events import EventKind
from app.model.identifiers import Position, Revision, Sequence, SessionId
from app.model.records import Deletion
from app.model.refusals import (
    copy_into_used_session,
    creation_not_first,
    deletion_not_alone,
    id_of_another_owner,
    id_taken,
    key_taken,
    no_such_session,
    owner_out_of_scope,
    revision_differs,
)
from app.model.session import Session
from app.model.timestamps import Timestamp

_STATE = select(*SESSION_COLUMNS, sessions.c.archived_through)


def carry_out(dialect: Dialect, connection: Connection, commit: Commit, scope: Scope) -> Committed:
    """Applies one commit and answers its result.

    Raises the `ScrollbackError` that refuses it; the caller then takes the transaction back to
    where it was before.
    """
    changes = commit.changes
    if changes and isinstance(changes[0], CreateSession):
        replayed = replay(connection, commit, scope)
        draft = replayed or _create(dialect, connection, commit, changes[0], scope)
        if isinstance(draft, Committed):
            return draft
        changes = changes[1:]
    else:
        # The lock first, then the key: who waited for the lock sees the key that was used then.
        state = _lock(connection, commit.session_id, scope)
        replayed = replay(connection, commit, scope)
        if replayed is not None:
            return replayed
        if state is None:
            raise no_such_session()
        draft = SessionDraft(dialect, connection, *state, commit.at)
        require_revision(draft.session, commit.expected)
    if changes == (DeleteSession(),):
        committed = _delete(draft)
    else:
        for change in changes:
            apply_change(draft, change, scope)
        draft.write()
        committed = draft.committed()
    remember(dialect, connection, [(commit, committed)])
    return committed


def _lock(
    connection: Connection, session_id: SessionId, scope: Scope
) -> tuple[Session, int] | None:
    statement = in_scope(_STATE.where(sessions.c.id == session_id), scope)
    row = connection.execute(statement.with_for_update()).one_or_none()
    if row is None:
        return None
    *state, archived_through = row
    return to_session(state), archived_through


def require_revision(session: Session, expected: Revision | None) -> None:
    """Raises `Conflict` for a session that is not at the revision that a commit expects."""
    if expected is not None and expected != session.revision:
        raise revision_differs(session.revision, expected, session)


def _create(
    dialect: Dialect, connection: Connection, commit: Commit, creation: CreateSession, scope: Scope
) -> SessionDraft | Committed:
    if scope.owner is not None and creation.owner_id != scope.owner:
        raise owner_out_of_scope()
    owner = owner_to_column(creation.owner_id)
    row = connection.execute(
        select(*SESSION_COLUMNS).where(sessions.c.owner_id == owner, sessions.c.key == creation.key)
    ).one_or_none()
    if row is not None:
        existing = to_session(row)
        if not creation.get_existing:
            raise key_taken(existing)
        return Committed(existing.position, range(0), 0, existing, existing=True)
    if connection.execute(select(sessions.c.id).where(sessions.c.id == commit.session_id)).scalar():
        raise id_taken()
    former = connection.execute(
        select(deletions.c.owner_id).where(deletions.c.session_id == commit.session_id)
    ).one_or_none()
    if former is not None and former[0] != owner:
        raise id_of_another_owner()
    if commit.expected:
        raise revision_differs(Revision(0), commit.expected)
    connection.execute(delete(deletions).where(deletions.c.session_id == commit.session_id))
    session = _new_session(commit, creation)
    connection.execute(insert(sessions), from_session(session, archived_through=0))
    dialect.search.add_title(connection, session.id, session.created_at, session.title)
    draft = SessionDraft(dialect, connection, session, 0, commit.at)
    draft.name(users, creation.owner_id)
    draft.name(agents, creation.agent_id, creation.peer_agent_id)
    draft.name(profiles, creation.profile_id)
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


def _delete(draft: SessionDraft) -> Committed:
    connection, session = draft.connection, draft.session
    draft.dialect.search.remove(connection, session.id, TITLE)
    connection.execute(delete(events).where(events.c.session_id == session.id))
    removed = connection.execute(delete(messages).where(messages.c.session_id == session.id))
    connection.execute(delete(sessions).where(sessions.c.id == session.id))
    position = Position(session.epoch, Revision(session.revision + 1))
    deletion = Deletion(session.id, session.owner_id, *position, draft.at)
    connection.execute(insert(deletions), from_deletion(deletion))
    return Committed(position, range(0), removed.rowcount, session=None)


def _set_mark(
    draft: Draft, kind: EventKind, column: str, present: Timestamp | None, on: bool
) -> None:
    if on is (present is not None):
        return
    mark: dict[str, Any] = {column: draft.at if on else None}
    draft.record(kind, data=mark, **mark)


def draft_change(draft: Draft, change: Change) -> None:
    """Applies a change that reads nothing to a draft. Raises the error that refuses it."""
    session = draft.session
    match change:
        # First, as most changes are.
        case AddMessages(messages=added):
            add_messages(draft, added)
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
            raise creation_not_first()
        case DeleteSession():
            raise deletion_not_alone()
        case _:
            raise AssertionError("what reads is applied by apply_change")


def apply_change(draft: SessionDraft, change: Change, scope: Scope) -> None:
    """Applies one change to a draft. Raises the `ScrollbackError` that refuses it."""
    match change:
        case CopyMessages():
            if not draft.is_new or draft.session.last_sequence:
                raise copy_into_used_session()
            copy_messages(draft, change, scope)
        case EditMessage():
            edit_message(draft, change)
        case DeleteMessage(sequence=sequence):
            delete_message(draft, sequence)
        case TruncateMessages(after=after):
            truncate_messages(draft, after)
        case ArchiveMessages(through=through):
            archive_messages(draft, through)
        case _:
            draft_change(draft, change)
