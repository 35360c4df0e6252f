"""Giving the content of a store in memory out as records, and taking records in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace

from app.backends.memory.state import SessionState, assemble
from app.backends.memory.store import MemoryStore
from app.backends.protocol import Scope
from app.model.events import Event
from app.model.identifiers import SessionId, SessionKey
from app.model.message import Message
from app.model.records import Damage, Deletion, IdempotencyRecord, Loaded, Record
from app.model.refusals import record_misplaced, session_not_whole
from app.model.session import Agent, Profile, Session, User
from app.model.wholeness import SessionTally


async def export(
    store: MemoryStore, scope: Scope, *, after: SessionId | None
) -> AsyncIterator[Record]:
    """Yields every record in scope; see `Transfer.export`."""
    if after is None:
        for named in _directory(store, scope):
            yield named
    while (state := store.next_after(after, scope)) is not None:
        after = state.session.id
        for record in _records_of(store, state):
            yield record
        # Between two sessions others have their turn, even where the reader never waits.
        await asyncio.sleep(0)
    if scope.owner is not None:
        return
    for _, deletion in sorted(store.deletions.items()):
        yield deletion
        for record in _attempts_of(store, deletion.session_id):
            yield record
    for _, damage in sorted(store.damages.items()):
        yield damage


def _directory(store: MemoryStore, scope: Scope) -> Iterator[Record]:
    if scope.owner is not None:
        if scope.owner in store.users:
            yield store.users[scope.owner]
        return
    yield from [user for _, user in sorted(store.users.items())]
    yield from [agent for _, agent in sorted(store.agents.items())]
    yield from [profile for _, profile in sorted(store.profiles.items())]


def _records_of(store: MemoryStore, state: SessionState) -> list[Record]:
    """Returns a session with all that belongs to it, as one state of it."""
    session_id = state.session.id
    return [state.session, *state.in_order(), *state.events, *_attempts_of(store, session_id)]


def _attempts_of(store: MemoryStore, session_id: SessionId) -> list[IdempotencyRecord]:
    return [record for _, record in sorted(store.attempts.get(session_id, {}).items())]


async def load(store: MemoryStore, records: AsyncIterator[Record], *, replace: bool) -> Loaded:
    """Takes records in; see `Transfer.load`."""
    loading = _Loading(store, replace)
    async for record in records:
        loading.take(record)
    loading.finish_session()
    return loading.loaded


@dataclass(slots=True)
class _Coming:
    """A session with what has come of it by now."""

    session: Session
    messages: list[Message] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    attempts: list[IdempotencyRecord] = field(default_factory=list)

    def require_whole(self) -> None:
        """Raises `InvalidInput` where the session's header does not count what has come."""
        tally = SessionTally()
        for message in self.messages:
            tally.take(message)
        for event in self.events:
            tally.take(event)
        if not tally.fits(self.session):
            raise session_not_whole(self.session.id)


class _Loading:
    """A load under way. A session is kept once all of it has come, in one step."""

    def __init__(self, store: MemoryStore, replace_earlier: bool) -> None:
        self.loaded = Loaded()
        self._store = store
        self._replace = replace_earlier
        self._coming: _Coming | None = None
        self._deleted: SessionId | None = None
        self._takes_attempts = False

    def take(self, record: Record) -> None:
        """Takes the next record."""
        match record:
            case Message() | Event() | IdempotencyRecord():
                self._take_into_session(record)
                return
            case Session():
                self.finish_session()
                self._coming = _Coming(record)
                return
            case _:
                self.finish_session()
        self._deleted = None
        match record:
            case User():
                if record.display_name is not None or record.id not in self._store.users:
                    self._store.users[record.id] = record
            case Agent():
                if record.display_name is not None or record.id not in self._store.agents:
                    self._store.agents[record.id] = record
            case Profile():
                if record.display_name is not None or record.id not in self._store.profiles:
                    self._store.profiles[record.id] = record
            case Deletion():
                self._take_deletion(record)
            case Damage():
                if record.digest not in self._store.damages:
                    self._store.damages[record.digest] = record
                    self._count(damages=1)

    def finish_session(self) -> None:
        """Keeps the session whose records have all come, or reports it."""
        coming, self._coming = self._coming, None
        if coming is None:
            return
        store, session = self._store, coming.session
        coming.require_whole()
        here = store.live.get(session.id)
        if here is not None:
            self._compare(here, coming)
            return
        deletion = store.deletions.get(session.id)
        was_deleted = deletion is not None and deletion.epoch == session.epoch
        if was_deleted or store.find(SessionKey(session.owner_id, session.key)) is not None:
            self._report(session.id)
            return
        self._keep(coming, before=None)
        self._count(sessions=1, messages=len(coming.messages))

    def _take_into_session(self, record: Message | Event | IdempotencyRecord) -> None:
        coming = self._coming
        if coming is not None and coming.session.id == record.session_id:
            match record:
                case Message():
                    coming.messages.append(record)
                case Event():
                    coming.events.append(record)
                case IdempotencyRecord():
                    coming.attempts.append(record)
        elif isinstance(record, IdempotencyRecord) and record.session_id == self._deleted:
            if self._takes_attempts:
                self._store.remember([record])
        else:
            self.finish_session()
            raise record_misplaced(record.session_id)

    def _compare(self, here: SessionState, coming: _Coming) -> None:
        store, session = self._store, coming.session
        same = (
            here.session == session
            and list(here.in_order()) == coming.messages
            and here.events == coming.events
        )
        if same and _attempts_of(store, session.id) == coming.attempts:
            self._count(unchanged=1)
        elif same and self._replace:
            added = store.remember(coming.attempts)
            self._count(replaced=int(added > 0), unchanged=int(added == 0))
        elif self._replace and _is_earlier(here, coming):
            self._keep(coming, before=here.session)
            self._count(replaced=1, messages=len(coming.messages))
        else:
            self._report(session.id)

    def _keep(self, coming: _Coming, *, before: Session | None) -> None:
        state = assemble(coming.session, coming.messages, coming.events)
        self._store.put(state, before)
        self._store.register(state.session, coming.messages)
        self._store.remember(coming.attempts)

    def _take_deletion(self, deletion: Deletion) -> None:
        store = self._store
        here, known = store.live.get(deletion.session_id), store.deletions.get(deletion.session_id)
        if here is not None:
            session = here.session
            later = session.epoch == deletion.epoch and session.revision < deletion.revision
            taken = self._replace and later
        else:
            taken = known is None or (self._replace and known != deletion)
        if taken:
            store.delete(deletion)
            self._count(deletions=1)
        elif known != deletion:
            self._report(deletion.session_id)
        self._deleted = deletion.session_id
        self._takes_attempts = taken or (self._replace and known == deletion)

    def _report(self, session_id: SessionId) -> None:
        self.loaded = replace(self.loaded, conflicts=(*self.loaded.conflicts, session_id))

    def _count(self, **counts: int) -> None:
        changed = {name: getattr(self.loaded, name) + count for name, count in counts.items()}
        self.loaded = replace(self.loaded, **changed)


def _is_earlier(here: SessionState, coming: _Coming) -> bool:
    """Answers whether the log here is the beginning of the one that comes."""
    mine, theirs = here.session, coming.session
    return (mine.owner_id, mine.key, mine.epoch) == (
        theirs.owner_id,
        theirs.key,
        theirs.epoch,
    ) and here.events == coming.events[: len(here.events)]
