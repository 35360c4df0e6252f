"""Registers: small files of a store's own records that belong to no one session.

The people, agents and profiles that sessions name, the deletions, and damage that was loaded. Each
is a file of records as a session's is, under a lock of its own. A later record of the same thing
replaces the earlier.
"""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from app.backends.files.append import append
from app.backends.files.catalogue import Tombstone, put_attempts, put_tombstone
from app.backends.files.entry import attempt_fields, attempt_of
from app.backends.files.locks import Locks
from app.backends.files.names import Layout
from app.backends.files.quarantine import Quarantine
from app.backends.files.record import encode_record, fields_of, seed_of
from app.backends.files.segment import Segment
from app.backends.files.system import APPEND, READ, Fingerprint, System
from app.model.identifiers import Epoch, Revision, SessionId, UserId
from app.model.records import Damage, Deletion, IdempotencyRecord
from app.model.timestamps import Timestamp

NAMES = ("agents", "damages", "deletions", "profiles", "users")

Fields = Mapping[str, Any]
Take = Callable[[sqlite3.Connection, Fields, int], None]


@dataclass(frozen=True, slots=True)
class RegisterState:
    """How far a register is indexed; `missing` are the numbers that damage has taken."""

    fingerprint: Fingerprint
    number: int
    missing: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Contents:
    """What was read of a register."""

    state: RegisterState
    records: list[tuple[int, Fields]]


class Registers:
    """The registers of one store."""

    def __init__(
        self, layout: Layout, system: System, locks: Locks, quarantine: Quarantine
    ) -> None:
        self._layout = layout
        self._system = system
        self._locks = locks
        self._quarantine = quarantine

    def path(self, name: str) -> Path:
        """Returns the file of a register."""
        return self._layout.registers / f"{name}.jsonl"

    @contextmanager
    def hold(self, names: Iterable[str]) -> Iterator[None]:
        """Holds the locks of registers, for writing them, in the order that everybody keeps."""
        with ExitStack() as held:
            for name in sorted(set(names)):
                held.enter_context(self._locks.hold(name))
            yield

    def is_current(self, connection: sqlite3.Connection, name: str) -> bool:
        """Answers whether the index has all of a register."""
        state = self.state(connection, name)
        found = self._system.fingerprint(self.path(name))
        return found == (None if state is None else state.fingerprint)

    def read(self, connection: sqlite3.Connection, name: str) -> Contents | None:
        """Reads a register from its beginning, and cuts off what was never acknowledged.

        None where there is no such file. Under its lock.
        """
        path = self.path(name)
        if self._system.fingerprint(path) is None:
            return None
        known = self.state(connection, name)
        with self._system.opened(path, READ) as descriptor:
            size = self._system.fingerprint_open(descriptor).size
            segment = Segment(self._system, descriptor, size, seed_of(name))
            pieces = list(segment.pieces())
        durable = max(
            [known.number if known else 0, *(one.stamp.durable for one in pieces if one.stamp)]
        )
        records: list[tuple[int, Fields]] = []
        missing: list[int] = []
        last, cut, broken = 0, None, None
        for piece in pieces:
            if piece.stamp is None:
                broken = piece.offset if broken is None else broken
                continue
            if (broken is not None or piece.stamp.number > last + 1) and last + 1 > durable:
                broken = piece.offset if broken is None else broken
                break
            missing.extend(range(last + 1, piece.stamp.number))
            if piece.stamp.number > last:
                last = piece.stamp.number
                records.append((last, fields_of(piece.content)))
            broken = None
        if broken is not None and last + 1 > durable:
            cut = broken
        missing.extend(range(last + 1, durable + 1))
        if cut is not None:
            self._quarantine.cut(path, name, cut)
        with self._system.opened(path, APPEND) as descriptor:
            self._end_line(path, descriptor)
            self._system.fdatasync(descriptor)
            fingerprint = self._system.fingerprint_open(descriptor)
        self._system.sync_directory(self._layout.registers)
        state = RegisterState(fingerprint, max(last, durable), tuple(missing))
        return Contents(state, records)

    def _end_line(self, path: Path, descriptor: int) -> None:
        with self._system.opened(path, READ) as reading:
            size = self._system.fingerprint_open(reading).size
            if size and self._system.pread(reading, 1, size - 1) != b"\n":
                self._system.write(descriptor, b"\n")

    def append(
        self, state: RegisterState | None, name: str, records: Sequence[Fields]
    ) -> RegisterState:
        """Writes records durably behind those that `state` knows of. Under its lock.

        Raises what `append` raises.
        """
        number = state.number if state else 0
        data = b"".join(
            encode_record(
                fields, number=number + at, durable=number, more=False, seed=seed_of(name)
            )
            for at, fields in enumerate(records, start=1)
        )
        fingerprint = append(self._system, self.path(name), data, create=state is None, sync=True)
        return RegisterState(fingerprint, number + len(records), state.missing if state else ())

    def state(self, connection: sqlite3.Connection, name: str) -> RegisterState | None:
        """Returns how far a register is indexed, None where there is none."""
        row = connection.execute(
            "SELECT inode, size, modified, number, missing FROM registers WHERE name = ?", (name,)
        ).fetchone()
        if row is None:
            return None
        inode, size, modified, number, missing = row
        return RegisterState(
            Fingerprint(inode, size, modified), number, tuple(orjson.loads(missing))
        )

    def index(self, connection: sqlite3.Connection, name: str, contents: Contents) -> None:
        """Brings what was read or written of a register into the index."""
        state = contents.state
        found = state.fingerprint
        connection.execute(
            "INSERT OR REPLACE INTO registers VALUES (?,?,?,?,?,?)",
            (
                name,
                found.inode,
                found.size,
                found.modified,
                state.number,
                orjson.dumps(state.missing),
            ),
        )
        for number, fields in contents.records:
            _TAKE[name](connection, fields, number)


def _take_name(table: str) -> Take:
    statement = (
        f"INSERT INTO {table} VALUES (?, ?) ON CONFLICT (id) DO UPDATE "  # noqa: S608 - ours
        "SET display_name = coalesce(excluded.display_name, display_name)"
    )

    def take(connection: sqlite3.Connection, fields: Fields, number: int) -> None:
        connection.execute(statement, (fields["id"], fields.get("display_name")))

    return take


def deletion_fields(deletion: Deletion, attempts: Iterable[IdempotencyRecord]) -> dict[str, Any]:
    """Returns the record of a deletion, with the attempts that stay known."""
    return {
        "id": deletion.session_id,
        "owner_id": deletion.owner_id,
        "epoch": deletion.epoch,
        "revision": deletion.revision,
        "at": deletion.at,
        "attempts": [attempt_fields(attempt) for attempt in attempts],
    }


def _take_deletion(connection: sqlite3.Connection, fields: Fields, number: int) -> None:
    session_id = SessionId(fields["id"])
    owner = fields["owner_id"]
    deletion = Deletion(
        session_id,
        None if owner is None else UserId(owner),
        Epoch(fields["epoch"]),
        Revision(fields["revision"]),
        Timestamp(fields["at"]),
    )
    put_tombstone(connection, Tombstone(deletion, number))
    put_attempts(connection, [attempt_of(one, session_id) for one in fields["attempts"]])


def damage_fields(damage: Damage) -> dict[str, Any]:
    """Returns the record of damage that was loaded."""
    return {
        "source": damage.source,
        "line": damage.line,
        "reason": damage.reason,
        "content": base64.b64encode(damage.content).decode(),
    }


def _take_damage(connection: sqlite3.Connection, fields: Fields, number: int) -> None:
    content = base64.b64decode(fields["content"])
    damage = Damage(fields["source"], fields["line"], fields["reason"], content)
    connection.execute(
        "INSERT OR IGNORE INTO damages VALUES (?,?,?,?,?)",
        (damage.digest, damage.source, damage.line, damage.reason, damage.content),
    )


_TAKE: Mapping[str, Take] = {
    "agents": _take_name("agents"),
    "damages": _take_damage,
    "deletions": _take_deletion,
    "profiles": _take_name("profiles"),
    "users": _take_name("users"),
}
