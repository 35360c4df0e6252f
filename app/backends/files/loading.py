"""Taking in a session whole: all its lines in a file beside, put in place by one renaming."""

from __future__ import annotations

import logging
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from msgspec import structs

from app.backends.files.append import NotWritten, OutcomeUnknown
from app.backends.files.catalogue import (
    FileState,
    Rows,
    Stored,
    attempts_of,
    drop_session,
    find_by_id,
    find_by_name,
    find_tombstone,
    put_attempts,
    put_rows,
    put_segments,
    put_session,
)
from app.backends.files.committer import Committer
from app.backends.files.draft import Draft, Told
from app.backends.files.entry import Entry
from app.backends.files.named import Named
from app.backends.files.names import file_name
from app.backends.files.plan import encode
from app.backends.files.reader import Reader
from app.backends.files.recovery import append_to_register, write_names
from app.backends.files.register import damage_fields
from app.backends.files.session_files import Lost, Moved
from app.backends.files.store import Store
from app.backends.files.system import READ
from app.backends.files.texts import is_due, set_texts, settle
from app.model.errors import StoreUnavailable, UnknownOutcome
from app.model.events import Event, EventKind
from app.model.identifiers import Revision, Sequence, SessionId, SessionKey
from app.model.message import Message
from app.model.records import Damage, Deletion, IdempotencyRecord
from app.model.refusals import session_not_whole
from app.model.session import Agent, Profile, Session, User

_LOADED_TEXTS = 8192
"""How many searched texts are settled together: the more, the fewer runs they come to lie in."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Incoming:
    """A session or a deletion, with the records behind it."""

    head: Session | Deletion
    messages: dict[int, Message] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    attempts: dict[str, IdempotencyRecord] = field(default_factory=dict)

    @property
    def session_id(self) -> SessionId:
        """Whose records these are."""
        return self.head.id if isinstance(self.head, Session) else self.head.session_id


@dataclass(frozen=True, slots=True)
class _Here:
    """What the store has under an id, and who has the key that comes."""

    stored: Stored | None
    deletion: Deletion | None
    life: int
    attempts: dict[str, IdempotencyRecord]
    messages: list[Message]
    events: list[Event]
    key_taken: bool


class Loader:
    """Takes records in. Blocks; used from the writer's thread only."""

    def __init__(
        self, store: Store, committer: Committer, reader: Reader, *, replace_earlier: bool
    ) -> None:
        self._store = store
        self._committer = committer
        self._reader = reader
        self._replace = replace_earlier
        self.counts: Counter[str] = Counter()
        self.conflicts: list[Any] = []

    def take_directory(self, records: list[User | Agent | Profile | Damage]) -> None:
        """Takes in people, agents, profiles and damages that are new, or newly named."""
        new: dict[str, list[Mapping[str, Any]]] = {}
        store = self._store
        seen: set[str] = set()
        with store.index.sharing():
            with store.index.reading() as connection:
                for record in records:
                    register, fields, digest = _directory_fields(connection, record)
                    if fields is not None and digest not in seen:
                        seen.add(digest)
                        new.setdefault(register, []).append(fields)
            with store.registers.hold(new), _Failures():
                with store.index.reading() as connection:
                    written = {
                        register: append_to_register(store, connection, register, fields)
                        for register, fields in new.items()
                    }
                with store.index.writing() as connection:
                    for register, contents in written.items():
                        store.registers.index(connection, register, contents)
        self.counts["damages"] += len(new.get("damages", ()))

    def take(self, incoming: Incoming) -> None:
        """Takes a session or a deletion in, or reports it. `InvalidInput` where it is not whole."""
        store = self._store
        head = incoming.head
        draft = _replayed(head, incoming) if isinstance(head, Session) else None
        names: set[str] = {incoming.session_id}
        if isinstance(head, Session):
            names.add(file_name(SessionKey(head.owner_id, head.key)))
        with store.index.sharing():
            with store.index.reading() as connection:
                here = find_by_id(connection, incoming.session_id)
            if here is not None:
                names.add(here.name)
            with store.locks.stripes(names):
                self._committer.refresh(names - {incoming.session_id})
                self._settle(incoming, draft)
        store.index.checkpoint()

    def _settle(self, incoming: Incoming, draft: Draft | None) -> None:
        here = self._look(incoming)
        session = None if draft is None else draft.session
        if self._same(here, incoming):
            self.counts["unchanged"] += session is not None
            return
        if here.stored is None:
            former = here.deletion
            alone = former is None or (session is not None and former.epoch != session.epoch)
            taken = not here.key_taken and (alone or (self._replace and session is None))
        else:
            taken = self._replace and _follows(incoming, here.stored.session, here.events)
        if not taken:
            self.conflicts.append(incoming.session_id)
            return
        self._count(here, incoming)
        merged = incoming.attempts | here.attempts
        if isinstance(incoming.head, Deletion):
            self._delete(incoming.head, here, merged)
        elif draft is not None:
            self._write(draft, here, merged)

    def _look(self, incoming: Incoming) -> _Here:
        with self._store.index.reading() as connection:
            stored = find_by_id(connection, incoming.session_id)
            tombstone = find_tombstone(connection, incoming.session_id)
            key_taken = False
            if isinstance(incoming.head, Session):
                head = incoming.head
                name = file_name(SessionKey(head.owner_id, head.key))
                holder = find_by_name(connection, name)
                key_taken = (holder is not None and holder.session.id != head.id) or (
                    holder is None
                    and self._store.system.fingerprint(self._store.layout.active(name)) is not None
                )
            messages: list[Message] = []
            events: list[Event] = []
            if stored is not None:
                try:
                    messages, events = self._reader.whole(connection, stored)
                except (Lost, Moved) as error:
                    raise StoreUnavailable("a session here is damaged; run the check") from error
            attempts = attempts_of(connection, incoming.session_id)
            return _Here(
                stored,
                None if tombstone is None or stored is not None else tombstone.deletion,
                0 if tombstone is None else tombstone.number,
                {one.idempotency.key: one for one in attempts},
                messages,
                events,
                key_taken,
            )

    def _same(self, here: _Here, incoming: Incoming) -> bool:
        if isinstance(incoming.head, Deletion) or here.stored is None:
            same_keys = not self._replace or here.attempts == incoming.attempts
            return here.deletion == incoming.head and same_keys
        return here.attempts == incoming.attempts and _same_content(here, incoming)

    def _count(self, here: _Here, incoming: Incoming) -> None:
        counts = self.counts
        if isinstance(incoming.head, Deletion):
            counts["deletions"] += here.deletion != incoming.head
        elif here.stored is None:
            counts["sessions"] += 1
            counts["messages"] += len(incoming.messages)
        elif not _same_content(here, incoming):
            counts["replaced"] += 1
            counts["messages"] += len(incoming.messages)
        elif incoming.attempts.keys() - here.attempts.keys():
            counts["replaced"] += 1
        else:
            counts["unchanged"] += 1

    def _delete(
        self, deletion: Deletion, here: _Here, attempts: dict[str, IdempotencyRecord]
    ) -> None:
        name = None if here.stored is None else here.stored.name
        with _Failures():
            self._committer.bury(name, deletion, list(attempts.values()))

    def _write(self, draft: Draft, here: _Here, attempts: dict[str, IdempotencyRecord]) -> None:
        store, session = self._store, draft.session
        name = file_name(SessionKey(session.owner_id, session.key))
        draft.life = here.life
        last = draft.told[-1]
        entry = replace(last.entry, attempts=tuple(attempts.values()), life=here.life)
        draft.told[-1] = replace(last, entry=entry)
        data, place, crc = encode(draft, session.revision, one_commit=False)
        named = Named()
        for told in draft.told:
            named.add_entry(told.entry)
        beside, active = store.layout.beside(name), store.layout.active(name)
        with _Failures():
            store.system.write_whole(beside, data)
            store.system.rename(beside, active)
            store.system.sync_directory(active.parent)
            with store.system.opened(active, READ) as descriptor:
                fingerprint = store.system.fingerprint_open(descriptor)
            self._clear_segments(name)
            with store.index.reading() as connection:
                unknown = named.unknown(connection)
            file = FileState(
                fingerprint,
                last=place,
                last_crc=crc,
                archived_through=draft.archived_through,
                life=here.life,
            )
            with store.registers.hold(unknown):
                with store.index.reading() as connection:
                    written = write_names(store, connection, unknown)
                with store.index.writing() as connection:
                    drop_session(connection, session.id)
                    put_session(connection, Stored(session, name, file))
                    set_texts(connection, session, draft.changed_texts)
                    put_rows(connection, session.id, draft.rows.changed.items())
                    put_segments(connection, session.id, [])
                    put_attempts(connection, attempts.values())
                    if is_due(connection, _LOADED_TEXTS):
                        settle(connection)
                    for register, contents in written.items():
                        store.registers.index(connection, register, contents)

    def _clear_segments(self, name: str) -> None:
        sealed = self._store.layout.sealed(name)
        for segment in self._store.system.list_names(sealed):
            self._store.system.unlink(sealed / segment)


class _Failures:
    """Tells callers what a failure of the files means: some of it may be there."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, NotWritten):
            raise StoreUnavailable(f"the records could not be written ({error})") from error
        if isinstance(error, OSError | OutcomeUnknown):
            raise UnknownOutcome("the store failed while it took records in; repeat it") from error


def _replayed(session: Session, incoming: Incoming) -> Draft:
    """Returns the session as its events and messages make it. `InvalidInput` for anything else."""
    start = structs.replace(
        session,
        revision=Revision(0),
        last_message_at=None,
        last_activity_at=session.created_at,
        message_count=0,
        archived_message_count=0,
        preview=None,
        last_sequence=Sequence(0),
    )
    draft = Draft(start, Rows(session.id, None))
    left = dict(incoming.messages)
    last = Sequence(0)
    told: list[Told] = []
    for event in incoming.events:
        added = event.kind is EventKind.MESSAGE_ADDED and event.sequence is not None
        words = left.pop(event.sequence, None) if added and event.sequence else None
        if added and event.sequence:
            last = max(last, event.sequence)
        entry = Entry(event, words, None if words else session, last_sequence=last)
        draft.apply(replace(entry, header=None), size=0)
        told.append(Told(entry, structs.replace(session, revision=event.revision)))
    note = Entry(header=session, last_sequence=session.last_sequence)
    draft.apply(note, size=0)
    draft.told = [*told, Told(note, session)]
    draft.finish()
    numbers = [event.revision for event in incoming.events]
    gapless = numbers == list(range(1, session.revision + 1))
    if left or not gapless or draft.session != session:
        raise session_not_whole(session.id)
    return draft


def _same_content(here: _Here, incoming: Incoming) -> bool:
    return (
        here.stored is not None
        and here.stored.session == incoming.head
        and here.messages == [incoming.messages[at] for at in sorted(incoming.messages)]
        and here.events == incoming.events
    )


def _follows(incoming: Incoming, session: Session, events: list[Event]) -> bool:
    """Answers whether what comes is a later state of a session that lives here."""
    head = incoming.head
    if head.epoch != session.epoch:
        return False
    if isinstance(head, Deletion):
        return head.revision > session.revision
    same_name = (head.owner_id, head.key) == (session.owner_id, session.key)
    return same_name and events == incoming.events[: len(events)]


def _directory_fields(
    connection: sqlite3.Connection, record: User | Agent | Profile | Damage
) -> tuple[str, Mapping[str, Any] | None, str]:
    """Returns register and fields of a record, None for fields that are known already."""
    if isinstance(record, Damage):
        known = connection.execute(
            "SELECT 1 FROM damages WHERE digest = ?", (record.digest,)
        ).fetchone()
        return "damages", None if known else damage_fields(record), record.digest
    register = {User: "users", Agent: "agents", Profile: "profiles"}[type(record)]
    row = connection.execute(
        f"SELECT display_name FROM {register} WHERE id = ?",  # noqa: S608 - names of our own
        (record.id,),
    ).fetchone()
    name = record.display_name
    fields: Mapping[str, Any] = {"id": record.id} | ({} if name is None else {"display_name": name})
    new = row is None or (name is not None and row[0] != name)
    return register, fields if new else None, f"{register}:{record.id}:{name}"
