"""Bringing the index to what the files say, after whatever has happened to either.

What was never acknowledged is copied to quarantine and cut off. Damage among what was
acknowledged stays where it is: the session is degraded, what is missing is known by number, and a
line behind the damage keeps what the index still knew. Everything here can be interrupted at any
point and done again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from app.backends.files.catalogue import (
    Damaged,
    Row,
    Rows,
    Stored,
    drop_session,
    find_by_name,
    find_tombstone,
    put_attempts,
    put_rows,
    put_segments,
    put_session,
)
from app.backends.files.draft import Draft
from app.backends.files.entry import line_of
from app.backends.files.named import Named
from app.backends.files.record import encode_record, seed_of
from app.backends.files.register import NAMES, Contents
from app.backends.files.replay import (
    Replay,
    Replayed,
    Unreadable,
    known_ranges,
    numbers_in,
)
from app.backends.files.store import Store
from app.backends.files.system import APPEND, READ, Fingerprint
from app.backends.files.texts import Texts, drop_texts, put_texts, set_texts, settle_all
from app.model.identifiers import Sequence
from app.model.records import IdempotencyRecord

_ABSENT = Fingerprint(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Recovered:
    """A session as its files have it, to be put in the place of what the index had."""

    stored: Stored
    segments: list[int]
    rows: list[tuple[int, Row | None]]
    texts: Texts
    fresh: bool
    attempts: list[IdempotencyRecord]
    named: Named


@dataclass(frozen=True, slots=True)
class Gone:
    """There is no session in a file's place (any more), or (with a reason) none can be told."""

    name: str
    reason: str | None = None
    fingerprint: Fingerprint = _ABSENT


class Recovery:
    """Reads files anew and brings the index up to them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def resync(self, name: str) -> None:
        """Reads one session's files anew. Under its stripe, and inside `index.sharing`."""
        store = self._store
        with store.index.reading() as connection:
            try:
                known = find_by_name(connection, name)
            except Damaged:
                known = None
            outcome = self._recover(connection, name, known)
            unknown = outcome.named.unknown(connection) if isinstance(outcome, Recovered) else {}
        with store.registers.hold(unknown):
            with store.index.reading() as connection:
                written = write_names(store, connection, unknown)
            with store.index.writing() as connection:
                _put(connection, outcome, known)
                for register, contents in written.items():
                    store.registers.index(connection, register, contents)

    def rebuild(self, connection: sqlite3.Connection) -> None:
        """Fills an empty index from all files, while nobody writes."""
        store = self._store
        for register in NAMES:
            contents = store.registers.read(connection, register)
            if contents is not None:
                store.registers.index(connection, register, contents)
        named = Named()
        for name in self._names():
            outcome = self._recover(connection, name, None)
            _put(connection, outcome, None)
            if isinstance(outcome, Recovered):
                named.merge(outcome.named)
        for register, contents in write_names(store, connection, named.unknown(connection)).items():
            store.registers.index(connection, register, contents)
        settle_all(connection)

    def catch_up(self) -> None:
        """Compares every file with what the index knows of it, and reads anew what differs."""
        store = self._store
        with store.index.sharing():
            self._catch_up_registers()
        with store.index.reading() as connection:
            known = _known_fingerprints(connection)
        differing = [
            name
            for name, fingerprint in self._fingerprints()
            if known.pop(name, None) != fingerprint
        ]
        for name in (*differing, *known):
            with store.index.sharing(), store.locks.stripes([name]):
                self.resync(name)

    def _catch_up_registers(self) -> None:
        store = self._store
        for register in NAMES:
            with store.registers.hold([register]), store.index.reading() as connection:
                if store.registers.is_current(connection, register):
                    continue
                contents = store.registers.read(connection, register)
                if connection.in_transaction:
                    connection.execute("COMMIT")
                if contents is not None:
                    with store.index.writing() as writing:
                        store.registers.index(writing, register, contents)
        self.finish_deletions()

    def finish_deletions(self) -> None:
        """Puts away the files of sessions whose deletion was interrupted."""
        store = self._store
        with store.index.reading() as connection:
            both = connection.execute(
                "SELECT name FROM sessions JOIN deletions ON session_id = id"
            ).fetchall()
            pending = []
            for (name,) in both:
                stored = find_by_name(connection, name)
                if stored is None:
                    continue
                tombstone = find_tombstone(connection, stored.session.id)
                if tombstone is not None and stored.file.life < tombstone.number:
                    pending.append(name)
        for name in pending:
            with store.locks.stripes([name]):
                self.resync(name)

    def _names(self) -> list[str]:
        layout, system = self._store.layout, self._store.system
        return [
            file.removesuffix(".jsonl")
            for shard in system.list_names(layout.sessions)
            for file in system.list_names(layout.sessions / shard)
            if file.endswith(".jsonl")
        ]

    def _fingerprints(self) -> Iterator[tuple[str, Fingerprint]]:
        layout, system = self._store.layout, self._store.system
        for shard in system.list_names(layout.sessions):
            for file, fingerprint in system.fingerprints(layout.sessions / shard).items():
                if file.endswith(".jsonl"):
                    yield file.removesuffix(".jsonl"), fingerprint

    def _recover(
        self, connection: sqlite3.Connection, name: str, known: Stored | None
    ) -> Recovered | Gone:
        store = self._store
        active = store.layout.active(name)
        self._clear_beside(name)
        try:
            replayed = Replay(store.layout, store.system, name, known).read()
        except Unreadable as error:
            return Gone(name, str(error), store.system.fingerprint(active) or _ABSENT)
        if replayed is None:
            if store.system.fingerprint(active) is None:
                return Gone(name, None if known is None else "its file is missing")
            return self._remove_torn(name)
        tombstone = find_tombstone(connection, replayed.draft.session.id)
        if tombstone is not None and replayed.draft.life < tombstone.number:
            store.trash.take(name, tombstone.number)
            return Gone(name)
        if replayed.cut is not None:
            if replayed.cut == 0:
                return self._remove_torn(name)
            store.quarantine.cut(active, name, replayed.cut)
        self._clear_sealed(name, replayed)
        same_life = known is not None and known.session.epoch == replayed.draft.session.epoch
        if known is not None and same_life and replayed.missing:
            return self._recover_degraded(connection, name, known, replayed)
        draft = replayed.draft
        fingerprint = self._settle_file(name, replayed, draft, lost=None)
        return Recovered(
            Stored(draft.session, name, replayed.file_state(fingerprint, draft)),
            replayed.segments,
            list(draft.rows.changed.items()),
            draft.changed_texts,
            True,
            list(draft.attempts.values()),
            replayed.named,
        )

    def _recover_degraded(
        self, connection: sqlite3.Connection, name: str, known: Stored, replayed: Replayed
    ) -> Recovered:
        """Goes on from what the index knew, without what damage has taken from the files."""
        session = known.session
        draft = Draft(
            session,
            Rows(session.id, connection),
            known.file.archived_through,
            known.file.life,
            known.file.dead,
        )
        missing = set(numbers_in(replayed.missing))
        lost = [row.sequence for row in draft.rows.backwards() if row.revision in missing]
        draft.lose(tuple(lost))
        for entry, size in replayed.newer:
            draft.apply(entry, size=size)
        draft.finish()
        present = {int(row.sequence) for row in draft.rows.backwards()}
        gone = {at for at, row in replayed.draft.rows.changed.items() if row is not None} - present
        numbers = sorted({*numbers_in(replayed.missing_messages), *lost})
        replayed.missing_messages = list(
            known_ranges([one for one in numbers if one not in present])
        )
        note: tuple[Sequence, ...] | None = tuple(Sequence(at) for at in sorted({*gone, *lost}))
        if known.file.missing == tuple(replayed.missing):
            note = None
        fingerprint = self._settle_file(name, replayed, draft, lost=note)
        return Recovered(
            Stored(draft.session, name, replayed.file_state(fingerprint, draft)),
            replayed.segments,
            list(draft.rows.changed.items()),
            draft.changed_texts,
            False,
            list(replayed.draft.attempts.values()),
            replayed.named,
        )

    def _settle_file(
        self, name: str, replayed: Replayed, draft: Draft, lost: tuple[Sequence, ...] | None
    ) -> Fingerprint:
        """Ends the last line, notes what is lost, and makes the file durable.

        Who wrote the last records may have died before they were.
        """
        store = self._store
        active = store.layout.active(name)
        with store.system.opened(active, READ) as reading:
            size = store.system.fingerprint_open(reading).size
            open_line = bool(size) and store.system.pread(reading, 1, size - 1) != b"\n"
        with store.system.opened(active, APPEND) as descriptor:
            line = b"\n" if open_line else b""
            if lost is not None:
                draft.note(lost=lost)
                told = draft.told.pop()
                number = draft.session.revision
                record = encode_record(
                    line_of(told.entry, told.session),
                    number=number,
                    durable=number,
                    more=False,
                    seed=seed_of(draft.session.id, draft.session.epoch),
                )
                replayed.last = size + len(line)
                replayed.last_crc = record[-11:-3].decode()
                line += record
            if line and store.system.write(descriptor, line) != len(line):
                store.system.ftruncate(descriptor, size)
                raise OSError(28, "the disk took a part of the record only", str(active))
            store.system.fdatasync(descriptor)
            fingerprint = store.system.fingerprint_open(descriptor)
        store.system.sync_directory(store.layout.shard(name))
        return fingerprint

    def _remove_torn(self, name: str) -> Gone:
        """Takes away a file whose creation was never acknowledged."""
        store = self._store
        active = store.layout.active(name)
        store.quarantine.cut(active, name, 0)
        store.system.unlink(active)
        store.system.sync_directory(store.layout.shard(name))
        return Gone(name)

    def _clear_beside(self, name: str) -> None:
        beside = self._store.layout.beside(name)
        if self._store.system.fingerprint(beside) is not None:
            self._store.system.unlink(beside)

    def _clear_sealed(self, name: str, replayed: Replayed) -> None:
        """Takes away segments that an interrupted roll or compaction has left."""
        sealed = self._store.layout.sealed(name)
        kept = {f"{first:012d}.jsonl" for first in replayed.segments}
        for file in self._store.system.list_names(sealed):
            if file not in kept:
                self._store.system.unlink(sealed / file)


def write_names(
    store: Store, connection: sqlite3.Connection, unknown: Mapping[str, Iterable[str]]
) -> dict[str, Contents]:
    """Writes the names that are new to the registers, whose locks are held.

    Returns what is to be put in the index, once that can be written.
    """
    written: dict[str, Contents] = {}
    for register, ids in unknown.items():
        fields: list[Mapping[str, Any]] = [{"id": one} for one in ids]
        written[register] = append_to_register(store, connection, register, fields)
    return written


def append_to_register(
    store: Store, connection: sqlite3.Connection, register: str, records: list[Mapping[str, Any]]
) -> Contents:
    """Writes records to a register whose lock is held, behind whatever others wrote there."""
    before: list[tuple[int, Mapping[str, Any]]] = []
    if store.registers.is_current(connection, register):
        state = store.registers.state(connection, register)
    else:
        read = store.registers.read(connection, register)
        state = None if read is None else read.state
        before = [] if read is None else read.records
    number = 0 if state is None else state.number
    state = store.registers.append(state, register, records)
    numbered = [(number + at, fields) for at, fields in enumerate(records, start=1)]
    return Contents(state, [*before, *numbered])


def _put(connection: sqlite3.Connection, outcome: Recovered | Gone, known: Stored | None) -> None:
    name = outcome.name if isinstance(outcome, Gone) else outcome.stored.name
    here = None if isinstance(outcome, Gone) else outcome.stored.session.id
    former = connection.execute("SELECT id FROM sessions WHERE name = ?", (name,)).fetchone()
    if former is not None and former[0] != here:
        drop_texts(connection, former[0])
    if known is not None and (isinstance(outcome, Gone) or outcome.fresh):
        drop_session(connection, known.session.id)
    if isinstance(outcome, Gone):
        connection.execute("DELETE FROM sessions WHERE name = ?", (outcome.name,))
        connection.execute("DELETE FROM unreadable WHERE name = ?", (outcome.name,))
        if outcome.reason is not None:
            found = outcome.fingerprint
            connection.execute(
                "INSERT INTO unreadable VALUES (?,?,?,?,?,?)",
                (
                    outcome.name,
                    None if known is None else known.session.id,
                    outcome.reason,
                    found.inode,
                    found.size,
                    found.modified,
                ),
            )
        return
    session_id = outcome.stored.session.id
    if outcome.fresh:
        drop_session(connection, session_id)
    connection.execute("DELETE FROM unreadable WHERE name = ?", (outcome.stored.name,))
    put_session(connection, outcome.stored)
    put_rows(connection, session_id, outcome.rows)
    if outcome.fresh or known is None:
        set_texts(connection, outcome.stored.session, outcome.texts)
    else:
        put_texts(connection, outcome.stored.session, known.session, outcome.texts)
    put_segments(connection, session_id, outcome.segments)
    put_attempts(connection, outcome.attempts)


def _known_fingerprints(connection: sqlite3.Connection) -> dict[str, Fingerprint]:
    known = {
        name: Fingerprint(*orjson.loads(file)["fingerprint"])
        for name, file in connection.execute("SELECT name, file FROM sessions")
    }
    for name, inode, size, modified in connection.execute(
        "SELECT name, inode, size, modified FROM unreadable"
    ):
        known[name] = Fingerprint(inode, size, modified)
    return known
