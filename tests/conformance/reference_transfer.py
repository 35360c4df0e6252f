"""Export and load of the reference model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from app.backends.protocol import Scope
from app.model.events import Event, EventKind
from app.model.identifiers import SessionId, SessionKey
from app.model.message import Message
from app.model.records import Damage, Deletion, IdempotencyRecord, Loaded, Record
from app.model.refusals import record_misplaced, session_not_whole
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
                yield from attempts_of(stored)
        yield from sorted(store.damages, key=lambda damage: damage.digest)


def records_of(stored: StoredSession, *, attempts: bool = True) -> Iterator[Record]:
    """Yields a live session and what belongs to it."""
    assert stored.session is not None
    yield stored.session
    yield from (message for _, message in sorted(stored.messages.items()))
    yield from stored.events
    if attempts:
        yield from attempts_of(stored)


def attempts_of(stored: StoredSession) -> Iterator[IdempotencyRecord]:
    """Yields the used idempotency keys of a session, live or deleted."""
    yield from (record for _, record in sorted(stored.replays.items()))


def load_records(store: ReferenceStore, records: list[Record], *, replace: bool) -> Loaded:
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
                if record.session_id not in loading:
                    # What came before stays.
                    settle(store, loading, damages, replace=replace)
                add_to_session(loading, record)
            case Deletion():
                loading[record.session_id] = tombstone(record)
            case Damage():
                if record.digest not in {damage.digest for damage in store.damages}:
                    store.damages.append(record)
                    damages += 1
    return settle(store, loading, damages, replace=replace)


def add_to_session(
    loading: dict[SessionId, StoredSession], record: Message | Event | IdempotencyRecord
) -> None:
    """Puts a record to the session that came before it."""
    stored = loading.get(record.session_id)
    if stored is None:
        raise record_misplaced(record.session_id)
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


def settle(
    store: ReferenceStore,
    loading: dict[SessionId, StoredSession],
    damages: int,
    *,
    replace: bool,
) -> Loaded:
    """Keeps what is new or later, counts what is the same, reports what differs."""
    loaded = Counter(damages=damages)
    conflicts: list[SessionId] = []
    for session_id, incoming in loading.items():
        here = store.sessions.get(session_id)
        session = incoming.session
        if session != incoming.recounted() or not incoming.has_whole_log():
            raise session_not_whole(session_id)
        holder = store.find(SessionKey(session.owner_id, session.key)) if session else None
        if here is not None and same_state(here, incoming, replace=replace):
            loaded["unchanged"] += session is not None
            continue
        if here is None or here.session is None:
            alone = here is None or (session is not None and here.epoch != incoming.epoch)
            taken = not holder and (alone or (replace and session is None))
        else:
            taken = replace and follows(incoming, here)
        if not taken:
            conflicts.append(session_id)
            continue
        known = here.replays if here else {}
        if session is None:
            new_deletion = here is None or not same_deletion(here, incoming)
            loaded["deletions"] += new_deletion
        elif here is None or here.session is None:
            loaded["sessions"] += 1
            loaded["messages"] += len(incoming.messages)
        elif list(records_of(here, attempts=False)) != list(records_of(incoming, attempts=False)):
            loaded["replaced"] += 1
            loaded["messages"] += len(incoming.messages)
        elif incoming.replays.keys() - known.keys():
            loaded["replaced"] += 1
        else:
            loaded["unchanged"] += 1
        incoming.replays = incoming.replays | known
        store.sessions[session_id] = incoming
        if session is not None:
            store.register(session, incoming.messages.values())
    return Loaded(**loaded, conflicts=tuple(conflicts))


def same_state(here: StoredSession, incoming: StoredSession, *, replace: bool) -> bool:
    """Answers whether two sessions are alike in all that a load compares."""
    if here.session is None or incoming.session is None:
        same_keys = not replace or here.replays == incoming.replays
        return same_deletion(here, incoming) and same_keys
    return list(records_of(here)) == list(records_of(incoming))


def same_deletion(here: StoredSession, incoming: StoredSession) -> bool:
    """Answers whether both are deleted, by the same deletion."""
    neither = here.session is None and incoming.session is None
    return neither and here.owner_id == incoming.owner_id and here.events == incoming.events


def follows(incoming: StoredSession, here: StoredSession) -> bool:
    """Answers whether a session that comes is a later state of one that lives here."""
    if incoming.epoch != here.epoch:
        return False
    if incoming.session is None:
        return incoming.revision > here.revision
    return here.events == incoming.events[: len(here.events)]
