"""Carrying out commits on a store in memory, each whole or not at all."""

from __future__ import annotations

from app.backends.memory.draft import Draft
from app.backends.memory.state import SessionState, encoded, stored
from app.backends.memory.store import MemoryStore
from app.backends.protocol import Scope
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
from app.model.errors import ScrollbackError
from app.model.events import EventKind
from app.model.identifiers import Position, Revision, Sequence, SessionKey
from app.model.records import Deletion, IdempotencyRecord
from app.model.refusals import (
    attempt_differs,
    copy_into_used_session,
    creation_not_first,
    deletion_not_alone,
    id_of_another_owner,
    id_taken,
    key_taken,
    no_such_session,
    no_such_source,
    owner_out_of_scope,
    revision_differs,
)
from app.model.session import Session


def carry_out(store: MemoryStore, commit: Commit, scope: Scope) -> Committed:
    """Applies one commit and answers its result.

    Raises the `ScrollbackError` that refuses it; the store is then as it was.
    """
    replayed = _replay(store, commit, scope)
    if replayed is not None:
        return replayed
    changes = commit.changes
    creation = changes[0] if changes and isinstance(changes[0], CreateSession) else None
    if creation is not None:
        existing = _existing(store, commit, creation, scope)
        if existing is not None:
            return existing
        state, before = SessionState(_new_session(commit, creation)), None
        changes = changes[1:]
    else:
        state = _require(store, commit, scope)
        before = state.session
    if commit.expected is not None and commit.expected != state.session.revision:
        current = state.session if before is not None else None
        raise revision_differs(state.session.revision, commit.expected, current)
    if creation is None and changes == (DeleteSession(),):
        committed = _delete(store, state, commit)
    else:
        committed = _change(store, state, before, commit, changes, scope)
    if commit.idempotency is not None:
        record = IdempotencyRecord(
            session_id=commit.session_id,
            idempotency=commit.idempotency,
            revision=committed.position.revision,
            sequences=committed.sequences,
            affected=committed.affected,
            at=commit.at,
        )
        store.remember([record])
    return committed


def _replay(store: MemoryStore, commit: Commit, scope: Scope) -> Committed | None:
    if commit.idempotency is None:
        return None
    record = store.attempts.get(commit.session_id, {}).get(commit.idempotency.key)
    state = store.access(commit.session_id, scope)
    deletion = store.access_deletion(commit.session_id, scope)
    if record is None or (state is None and deletion is None):
        return None
    session = state.session if state is not None else None
    if record.idempotency.digest != commit.idempotency.digest:
        raise attempt_differs(session)
    epoch = session.epoch if session is not None else deletion.epoch if deletion else None
    if epoch is None:
        return None
    return Committed(
        position=Position(epoch, record.revision),
        sequences=record.sequences,
        affected=record.affected,
        session=session,
        replayed=True,
    )


def _require(store: MemoryStore, commit: Commit, scope: Scope) -> SessionState:
    state = store.access(commit.session_id, scope)
    if state is None:
        raise no_such_session()
    return state


def _existing(
    store: MemoryStore, commit: Commit, creation: CreateSession, scope: Scope
) -> Committed | None:
    if scope.owner is not None and creation.owner_id != scope.owner:
        raise owner_out_of_scope()
    named = store.find(SessionKey(creation.owner_id, creation.key))
    if named is not None:
        session = named.session
        if not creation.get_existing:
            raise key_taken(session)
        return Committed(session.position, range(0), 0, session, existing=True)
    if commit.session_id in store.live:
        raise id_taken()
    former = store.deletions.get(commit.session_id)
    if former is not None and former.owner_id != creation.owner_id:
        raise id_of_another_owner()
    return None


def _new_session(commit: Commit, creation: CreateSession) -> Session:
    encoded(
        (
            creation.key,
            creation.owner_id,
            creation.agent_id,
            creation.peer_agent_id,
            creation.profile_id,
            creation.title,
            creation.channel,
        )
    )
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
        metadata=stored(creation.metadata),
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


def _change(
    store: MemoryStore,
    state: SessionState,
    before: Session | None,
    commit: Commit,
    changes: tuple[Change, ...],
    scope: Scope,
) -> Committed:
    draft = Draft(state, commit.at)
    try:
        if before is None:
            draft.record(EventKind.SESSION_CREATED)
        for change in changes:
            _apply(store, draft, change, scope)
    except ScrollbackError:
        draft.undo()
        raise
    store.put(state, before)
    store.register(state.session, draft.added)
    return Committed(state.session.position, draft.sequences, draft.affected, state.session)


def _delete(store: MemoryStore, state: SessionState, commit: Commit) -> Committed:
    session = state.session
    position = Position(session.epoch, Revision(session.revision + 1))
    store.delete(Deletion(session.id, session.owner_id, *position, commit.at))
    return Committed(position, range(0), len(state.sequences), session=None)


def _apply(store: MemoryStore, draft: Draft, change: Change, scope: Scope) -> None:
    match change:
        case RenameSession(title=title):
            draft.set_field(EventKind.SESSION_RENAMED, "title", title)
        case PinSession(pinned=on):
            draft.set_mark(EventKind.SESSION_PINNED, "pinned_at", on)
        case StarSession(starred=on):
            draft.set_mark(EventKind.SESSION_STARRED, "starred_at", on)
        case ArchiveSession(archived=on):
            draft.set_mark(EventKind.SESSION_ARCHIVED, "archived_at", on)
        case SetMetadata(metadata=metadata):
            draft.set_field(EventKind.SESSION_METADATA_SET, "metadata", metadata)
        case AddMessages(messages=added):
            for new in added:
                draft.add(new)
        case CopyMessages():
            if not draft.is_new or draft.state.session.last_sequence:
                raise copy_into_used_session()
            source = store.access(change.source_id, scope)
            if source is None:
                raise no_such_source()
            draft.copy(source, change)
        case EditMessage():
            draft.edit(change)
        case DeleteMessage(sequence=sequence):
            draft.delete(sequence)
        case TruncateMessages(after=after):
            draft.truncate(after)
        case ArchiveMessages(through=through):
            draft.archive(through)
        case CreateSession():
            raise creation_not_first()
        case DeleteSession():
            raise deletion_not_alone()
