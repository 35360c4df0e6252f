"""Export and load of the reference model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from app.backends.protocol import Scope
from app.model.errors import InvalidInput
from app.model.events import Event, EventKind
from app.model.identifiers import SessionId, SessionKey
from app.model.message import Message
from app.model.records import Damage, Deletion, IdempotencyRecord, Loaded, Record
from app.model.session import Agent, Profile, Session, User
from tests.conformance.reference_session import StoredSession

if TYPE_CHECKING:
    from tests.conformance.reference import ReferenceStore


def export_records(
    store: ReferenceStore, scope: Scope, after: SessionId | None
) -> Iterator[Record]:
    """Yields what a store holds, in the order of a stream of records."""
    visible = [
        stored
        for session_id, stored in sorted(store.sessions.items())
        if scope.owner in (None, stored.owner_id) and (after is None or session_id > after)
    ]
    if after is None:
        yield from (
            user for _, user in sorted(store.users.items()) if scope.owner in (None, user.id)
        )
    if after is None and scope.owner is None:
        yield from (agent for _, agent in sorted(store.agents.items()))
        yield from (profile for _, profile in sorted(store.profiles.items()))
    for stored in visible:
        if stored.session is not None:
            yield from records_of(stored)
    if scope.owner is None:
        for session_id, stored in sorted(store.sessions.items()):
            if stored.session is None:
                at = stored.events[0].at
                yield Deletion(session_id, stored.owner_id, stored.epoch, stored.revision, at)
        yield from store.damages


def records_of(stored: StoredSession) -> Iterator[Record]:
    """Yields a live session and what belongs to it."""
    assert stored.session is not None
    yield stored.session
    yield from (message for _, message in sorted(stored.messages.items()))
    yield from stored.events
    yield from (record for _, record in sorted(stored.replays.items()))


def load_records(store: ReferenceStore, records: list[Record]) -> Loaded:
    """Takes a stream of records in."""
    loading: dict[SessionId, StoredSession] = {}
    damages = 0
    for record in records:
        match record:
            case User():
                if record.display_name is not None or record.id not in store.users:
                    store.users[record.id] = record
            case Agent():
                if record.display_name is not None or record.id not in store.agents:
                    store.agents[record.id] = record
            case Profile():
                if record.display_name is not None or record.id not in store.profiles:
                    store.profiles[record.id] = record
            case Session():
                loading[record.id] = StoredSession(
                    record.id, record.owner_id, record.epoch, record.revision, record
                )
            case Message() | Event() | IdempotencyRecord():
                add_to_session(loading, record)
            case Deletion():
                loading[record.session_id] = tombstone(record)
            case Damage():
                if record not in store.damages:
                    store.damages.append(record)
                    damages += 1
    return settle(store, loading, damages)


def add_to_session(
    loading: dict[SessionId, StoredSession], record: Message | Event | IdempotencyRecord
) -> None:
    """Puts a record to the session that came before it."""
    stored = loading.get(record.session_id)
    if stored is None:
        raise InvalidInput("a record stands before its session")
    match record:
        case Message():
            stored.messages[record.sequence] = record
        case Event():
            stored.events.append(record)
        case IdempotencyRecord():
            stored.replays[record.idempotency.key] = record


def tombstone(record: Deletion) -> StoredSession:
    """Returns what remains of a deleted session."""
    event = Event(
        record.session_id, record.revision, EventKind.SESSION_DELETED, record.at, None, {}, None
    )
    return StoredSession(
        record.session_id, record.owner_id, record.epoch, record.revision, None, events=[event]
    )


def settle(store: ReferenceStore, loading: dict[SessionId, StoredSession], damages: int) -> Loaded:
    """Keeps what is new, counts what is the same, reports what differs."""
    sessions = messages = unchanged = 0
    conflicts: list[SessionId] = []
    for session_id, incoming in loading.items():
        here = store.sessions.get(session_id)
        session = incoming.session
        if session != incoming.recounted() or not incoming.has_whole_log():
            raise InvalidInput("a session does not come whole")
        if here is not None and (here.session or here.epoch == incoming.epoch):
            if same_state(here, incoming):
                unchanged += 1 if session is not None else 0
            else:
                conflicts.append(session_id)
        elif session is not None and store.find(SessionKey(session.owner_id, session.key)):
            conflicts.append(session_id)
        else:
            store.sessions[session_id] = incoming
            sessions += 1 if session is not None else 0
            messages += len(incoming.messages)
            if session is not None:
                store.register(session, incoming.messages.values())
    return Loaded(sessions, messages, unchanged, tuple(conflicts), damages)


def same_state(here: StoredSession, incoming: StoredSession) -> bool:
    """Answers whether two sessions are alike in all that is exported."""
    if here.session is None or incoming.session is None:
        return (here.session, here.epoch, here.revision) == (
            incoming.session,
            incoming.epoch,
            incoming.revision,
        )
    return list(records_of(here)) == list(records_of(incoming))
