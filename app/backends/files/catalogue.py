"""Reading and writing the rows of the index."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

import orjson
from msgspec import structs

from app.backends.files.entry import attempt_fields, attempt_of
from app.backends.files.system import Fingerprint
from app.model.changes import Idempotency
from app.model.identifiers import (
    Epoch,
    MessageId,
    Revision,
    Sequence,
    SessionId,
    SessionKey,
    UserId,
)
from app.model.paging import title_order
from app.model.records import Deletion, IdempotencyRecord
from app.model.session import Session, SessionKind
from app.model.timestamps import Timestamp

_NONE = Sequence(0)
_FIELDS = tuple(one.name for one in structs.fields(Session))


@dataclass(frozen=True, slots=True)
class Row:
    """What the index knows of a message. `revision` is the event whose line holds its content.

    `size` is the length of that line in bytes.
    """

    sequence: Sequence
    revision: Revision
    size: int
    created_at: Timestamp
    archived_at: Timestamp | None
    preview: str | None


@dataclass(frozen=True, slots=True)
class FileState:
    """How far a session's active file is indexed.

    `first` is the number of its first event; `last` where its last record begins and `last_crc`
    the checksum of that; `dead` counts the bytes of records that nobody reads any more;
    `missing` are the ranges (both ends in) of events that were damaged, `missing_messages` of the
    messages among them.
    """

    fingerprint: Fingerprint
    first: int = 1
    last: int = 0
    last_crc: str = ""
    archived_through: Sequence = _NONE
    dead: int = 0
    life: int = 0
    missing: tuple[tuple[int, int], ...] = ()
    missing_messages: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """A session as the index has it."""

    session: Session
    name: str
    file: FileState


class Damaged(Exception):
    """What the index has of a session does not fit its own checksum, or not the files."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


_ROWS = (
    "SELECT sequence, revision, size, created_at, archived_at, preview FROM messages "
    "WHERE session_id = ?"
)
_STORED = "SELECT state, crc, name, file FROM sessions "


def stored_of(row: tuple[Any, ...]) -> Stored:
    """Returns the session of a row of state, checksum, name and file."""
    state, crc, name, file = row
    if zlib.crc32(file, zlib.crc32(state)) != crc:
        raise Damaged(name)
    values = dict(zip(_FIELDS, orjson.loads(state), strict=True))
    values["kind"] = SessionKind(values["kind"])
    if values["forked_from"] is not None:
        values["forked_from"] = MessageId(*values["forked_from"])
    known = orjson.loads(file)
    known["fingerprint"] = Fingerprint(*known["fingerprint"])
    for ranges in ("missing", "missing_messages"):
        known[ranges] = tuple([(low, high) for low, high in known[ranges]])
    return Stored(Session(**values), name, FileState(**known))


def find_by_id(connection: sqlite3.Connection, session_id: SessionId) -> Stored | None:
    """Returns the live session of an id."""
    row = connection.execute(f"{_STORED} WHERE id = ?", (session_id,)).fetchone()
    return None if row is None else stored_of(row)


def find_by_name(connection: sqlite3.Connection, name: str) -> Stored | None:
    """Returns the live session whose file has a name."""
    row = connection.execute(f"{_STORED} WHERE name = ?", (name,)).fetchone()
    return None if row is None else stored_of(row)


def find_by_key(connection: sqlite3.Connection, key: SessionKey) -> Stored | None:
    """Returns the live session of an owner and a key."""
    row = connection.execute(
        f"{_STORED} WHERE owner_id = ? AND key = ?", (key.owner_id or "", key.key)
    ).fetchone()
    return None if row is None else stored_of(row)


def put_session(connection: sqlite3.Connection, stored: Stored) -> None:
    """Writes a session's row."""
    session, file = stored.session, stored.file
    values = [getattr(session, name) for name in _FIELDS]
    state = orjson.dumps(values, default=list)
    print_of = file.fingerprint
    known = {one.name: getattr(file, one.name) for one in fields(FileState)}
    known["fingerprint"] = [print_of.inode, print_of.size, print_of.modified]
    about = orjson.dumps(known)
    connection.execute(
        "INSERT OR REPLACE INTO sessions VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            session.id,
            stored.name,
            session.owner_id or "",
            session.key,
            state,
            zlib.crc32(about, zlib.crc32(state)),
            title_order(session.title),
            session.created_at,
            session.last_activity_at,
            session.updated_at,
            session.profile_id,
            session.agent_id,
            session.channel,
            session.pinned_at is not None,
            session.starred_at is not None,
            session.archived_at is not None,
            about,
        ),
    )


def drop_session(connection: sqlite3.Connection, session_id: SessionId) -> None:
    """Takes a session and its messages out of the index; its attempts and texts stay known."""
    connection.execute("DELETE FROM sessions WHERE id = ?", (session_id,))
    connection.execute("DELETE FROM messages WHERE session_id = ?", (session_id,))
    connection.execute("DELETE FROM segments WHERE session_id = ?", (session_id,))


def put_rows(
    connection: sqlite3.Connection, session_id: SessionId, rows: Iterable[tuple[int, Row | None]]
) -> None:
    """Writes the rows of messages; None takes a row away."""
    gone: list[tuple[str, int]] = []
    kept: list[tuple[Any, ...]] = []
    for sequence, row in rows:
        if row is None:
            gone.append((session_id, sequence))
        else:
            values = (row.revision, row.size, row.created_at, row.archived_at, row.preview)
            kept.append((session_id, sequence, *values))
    connection.executemany("DELETE FROM messages WHERE session_id = ? AND sequence = ?", gone)
    connection.executemany("INSERT OR REPLACE INTO messages VALUES (?,?,?,?,?,?,?)", kept)


def put_attempts(connection: sqlite3.Connection, attempts: Iterable[IdempotencyRecord]) -> None:
    """Writes used idempotency keys."""
    connection.executemany(
        "INSERT OR REPLACE INTO attempts VALUES (?,?,?)",
        [
            (one.session_id, one.idempotency.key, orjson.dumps(attempt_fields(one)))
            for one in attempts
        ],
    )


def attempts_of(connection: sqlite3.Connection, session_id: SessionId) -> list[IdempotencyRecord]:
    """Returns the used idempotency keys of a session, by key."""
    rows = connection.execute(
        "SELECT record FROM attempts WHERE session_id = ? ORDER BY key", (session_id,)
    )
    return [attempt_of(orjson.loads(record), session_id) for (record,) in rows]


def find_attempt(
    connection: sqlite3.Connection, session_id: SessionId, idempotency: Idempotency
) -> IdempotencyRecord | None:
    """Returns what an idempotency key was used for."""
    row = connection.execute(
        "SELECT record FROM attempts WHERE session_id = ? AND key = ?",
        (session_id, idempotency.key),
    ).fetchone()
    return None if row is None else attempt_of(orjson.loads(row[0]), session_id)


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A deletion, with its number in the register of deletions."""

    deletion: Deletion
    number: int


def find_tombstone(connection: sqlite3.Connection, session_id: SessionId) -> Tombstone | None:
    """Returns the last deletion of a session of that id, live again or not."""
    row = connection.execute(
        "SELECT * FROM deletions WHERE session_id = ?", (session_id,)
    ).fetchone()
    return None if row is None else tombstone_of(row)


def tombstone_of(row: tuple[Any, ...]) -> Tombstone:
    """Returns the deletion of a row."""
    session_id, owner, epoch, revision, at, number = row
    owner_id = UserId(owner) if owner else None
    return Tombstone(
        Deletion(SessionId(session_id), owner_id, Epoch(epoch), Revision(revision), at), number
    )


def put_tombstone(connection: sqlite3.Connection, tombstone: Tombstone) -> None:
    """Writes a deletion."""
    deletion = tombstone.deletion
    connection.execute(
        "INSERT OR REPLACE INTO deletions VALUES (?,?,?,?,?,?)",
        (
            deletion.session_id,
            deletion.owner_id or "",
            deletion.epoch,
            deletion.revision,
            deletion.at,
            tombstone.number,
        ),
    )


def segments_of(connection: sqlite3.Connection, session_id: SessionId) -> list[int]:
    """Returns the first events of a session's sealed segments, ascending."""
    rows = connection.execute(
        "SELECT first FROM segments WHERE session_id = ? ORDER BY first", (session_id,)
    )
    return [first for (first,) in rows]


def put_segments(
    connection: sqlite3.Connection, session_id: SessionId, firsts: Iterable[int]
) -> None:
    """Writes which sealed segments a session has."""
    connection.execute("DELETE FROM segments WHERE session_id = ?", (session_id,))
    connection.executemany(
        "INSERT INTO segments VALUES (?,?)", [(session_id, first) for first in firsts]
    )


@dataclass(slots=True)
class Rows:
    """The rows of one session's messages: those of the index, under those that have changed.

    Without a connection there are only the changed ones.
    """

    session_id: SessionId
    connection: sqlite3.Connection | None
    changed: dict[int, Row | None] = field(default_factory=dict)

    def copy(self) -> Rows:
        """Returns rows that can change without these."""
        return replace(self, changed=dict(self.changed))

    def get(self, sequence: int) -> Row | None:
        """Returns a message's row."""
        if sequence in self.changed:
            return self.changed[sequence]
        found = list(self._indexed("sequence = ?", (sequence,), ""))
        return found[0] if found else None

    def between(self, after: int, through: int) -> list[Row]:
        """Returns the rows after one number, up to and with another, ascending."""
        found = {
            int(row.sequence): row
            for row in self._indexed("sequence > ? AND sequence <= ?", (after, through), "")
        }
        for sequence, row in self.changed.items():
            if after < sequence <= through:
                if row is None:
                    found.pop(sequence, None)
                else:
                    found[sequence] = row
        return [found[sequence] for sequence in sorted(found)]

    def backwards(self) -> Iterator[Row]:
        """Yields the rows from the last to the first."""
        ours = sorted((at for at, row in self.changed.items() if row is not None), reverse=True)
        theirs = self._indexed("1", (), "ORDER BY sequence DESC")
        for row in theirs:
            while ours and ours[0] > row.sequence:
                yield from self._changed(ours.pop(0))
            if row.sequence not in self.changed:
                yield row
        for sequence in ours:
            yield from self._changed(sequence)

    def _changed(self, sequence: int) -> Iterator[Row]:
        row = self.changed[sequence]
        if row is not None:
            yield row

    def _indexed(self, condition: str, values: tuple[Any, ...], order: str) -> Iterator[Row]:
        if self.connection is None:
            return
        cursor = self.connection.execute(
            f"{_ROWS} AND {condition} {order}",
            (self.session_id, *values),
        )
        for row in cursor:
            yield Row(*row)
