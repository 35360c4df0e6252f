"""Keeping a session's files in shape: sealing what is old, dropping what nobody reads any more.

A new file is always written beside, made durable, read back, and only then put in the place of
the old by renaming, so that at each moment one whole file is there. The records keep their
numbers; a message that is gone leaves its event without its words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import structs

from app.backends.files.catalogue import (
    Row,
    Rows,
    Stored,
    find_by_name,
    put_rows,
    put_segments,
    put_session,
    segments_of,
)
from app.backends.files.entry import Entry, entry_of, line_of
from app.backends.files.record import Piece, encode_record, fields_of, seed_of, split
from app.backends.files.recovery import Recovery
from app.backends.files.segment import Segment
from app.backends.files.store import Store
from app.backends.files.system import READ, Fingerprint
from app.model.events import EventKind
from app.model.identifiers import Revision, Sequence
from app.model.message import Message

ROLL_BYTES = 64 << 20
"""From which size on an active file is sealed."""

WORTH_BYTES = 1 << 20
"""How many dead bytes there must be at least before files are compacted."""


@dataclass(frozen=True, slots=True)
class _Line:
    piece: Piece
    number: int
    durable: int
    more: bool
    entry: Entry


class Compaction:
    """Rolls and compacts. Under the session's stripe and inside `index.sharing`."""

    def __init__(self, store: Store, recovery: Recovery) -> None:
        self._store = store
        self._recovery = recovery

    def maintain(self, name: str, *, archived: bool) -> None:
        """Does what is due; `archived` says that messages have just been archived."""
        stored, _ = self._find(name)
        if stored is None or stored.file.missing or name in self._store.failed:
            # A damaged file is kept as it is, byte for byte.
            return
        size = stored.file.fingerprint.size
        if archived or size >= ROLL_BYTES:
            self.roll(name, whole=not archived)
        if stored.file.dead >= WORTH_BYTES and stored.file.dead > size // 2:
            self.compact(name)

    def roll(self, name: str, *, whole: bool) -> None:
        """Seals the active file and begins a new one.

        The new one starts with the session's fields and, unless `whole`, with everything from the
        first message on that is not archived, so that what is read most stays in one file.
        """
        store, layout = self._store, self._store.layout
        stored, segments = self._find(name)
        if stored is None:
            return
        cut, number, last_sequence = self._cut(stored, whole=whole)
        if number < stored.file.first:
            return
        active, target = layout.active(name), layout.segment(name, stored.file.first)
        if store.system.fingerprint(layout.sealed(name)) is None:
            store.system.mkdir(layout.sealed(name))
            store.system.sync_directory(layout.shard(name))
        if store.system.fingerprint(target) is not None:
            store.system.unlink(target)
        store.system.link(active, target)
        store.system.sync_directory(layout.sealed(name))
        header = self._header(stored, number, last_sequence)
        rest = self._read(active, cut, stored.file.fingerprint.size)
        fingerprint = self._replace(layout.beside(name), active, header + rest, stored)
        file = replace(
            stored.file,
            fingerprint=fingerprint,
            first=number + 1,
            last=len(header) + stored.file.last - cut if rest else 0,
            last_crc=stored.file.last_crc if rest else header[-11:-3].decode(),
        )
        with store.index.writing() as connection:
            put_session(connection, replace(stored, file=file))
            put_segments(connection, stored.session.id, [*segments, stored.file.first])

    def compact(self, name: str) -> None:
        """Writes a session's files anew without the words that nobody can read any more."""
        store, layout = self._store, self._store.layout
        stored, segments = self._find(name)
        if stored is None:
            return
        with store.index.reading() as connection:
            found = Rows(stored.session.id, connection).between(0, stored.session.last_sequence)
        rows = {int(row.sequence): row for row in found}
        bounds = [*segments, stored.file.first]
        if segments:
            # Until all of them are written, the index speaks of files that are no more.
            unknown = replace(stored.file, fingerprint=Fingerprint(0, 0, 0))
            with store.index.writing() as connection:
                put_session(connection, replace(stored, file=unknown))
        for first, following in zip(segments, bounds[1:], strict=True):
            path = layout.segment(name, first)
            data = self._compacted(path, stored, rows, following)
            self._replace(path.with_suffix(".new"), path, data, stored)
        data = self._compacted(layout.active(name), stored, rows, None)
        last = data.rstrip(b"\n").rfind(b"\n") + 1
        fingerprint = self._replace(layout.beside(name), layout.active(name), data, stored)
        file = replace(
            stored.file,
            fingerprint=fingerprint,
            last=last,
            last_crc=data[-11:-3].decode(),
            dead=0,
        )
        with store.index.writing() as connection:
            put_session(connection, replace(stored, file=file))
            put_rows(connection, stored.session.id, rows.items())

    def _find(self, name: str) -> tuple[Stored | None, list[int]]:
        with self._store.index.reading() as connection:
            stored = find_by_name(connection, name)
            if stored is None:
                return None, []
            return stored, segments_of(connection, stored.session.id)

    def _cut(self, stored: Stored, *, whole: bool) -> tuple[int, int, Sequence]:
        """Returns where the new file begins, and the last numbers before that."""
        size, session = stored.file.fingerprint.size, stored.session
        number = stored.file.first - 1
        if whole:
            return size, session.revision, session.last_sequence
        for line in self._lines(self._store.layout.active(stored.name), stored, size):
            event = line.entry.event
            if event is None:
                continue
            added = event.sequence if event.kind is EventKind.MESSAGE_ADDED else None
            if added is not None and added > stored.file.archived_through:
                return line.piece.offset, number, Sequence(added - 1)
            number = line.number
        return size, session.revision, session.last_sequence

    def _header(self, stored: Stored, number: int, last_sequence: Sequence) -> bytes:
        session = stored.session
        entry = Entry(header=session, last_sequence=last_sequence, life=stored.file.life)
        return encode_record(
            line_of(entry, session),
            number=number,
            durable=number,
            more=False,
            seed=seed_of(session.id, session.epoch),
        )

    def _lines(self, path: Path, stored: Stored, size: int | None = None) -> list[_Line]:
        session = stored.session
        seed = seed_of(session.id, session.epoch)
        lines: list[_Line] = []
        with self._store.system.opened(path, READ) as descriptor:
            whole = self._store.system.fingerprint_open(descriptor).size
            segment = Segment(self._store.system, descriptor, size or whole, seed)
            for piece in segment.pieces():
                stamp = piece.stamp
                if stamp is None:
                    raise OSError(5, "a damaged record must be kept", str(path))
                entry = entry_of(fields_of(piece.content), stamp.number, session.id)
                lines.append(_Line(piece, stamp.number, stamp.durable, stamp.more, entry))
        return lines

    def _compacted(
        self, path: Path, stored: Stored, rows: dict[int, Row], following: int | None
    ) -> bytes:
        """Returns the lines of a file without dead words, and brings `rows` up to them.

        An edited message comes to stand where it was added, if that is in the same file.
        """
        session = stored.session
        lines = self._lines(path, stored)
        present: dict[int, Message] = {}
        for line in lines:
            message = line.entry.message
            row = rows.get(message.sequence) if message is not None else None
            if message is not None and row is not None and row.revision == line.number:
                present[message.sequence] = structs.replace(message, archived_at=row.archived_at)
        data: list[bytes] = []
        for line in lines:
            if following is not None and line.number >= following:
                break
            entry = line.entry
            event = entry.event
            sequence = event.sequence if event is not None else None
            words = present.pop(sequence, None) if sequence is not None else None
            if event is not None and event.kind not in (
                EventKind.MESSAGE_ADDED,
                EventKind.MESSAGE_EDITED,
            ):
                words = None
            kept = replace(entry, message=words)
            data.append(
                encode_record(
                    line_of(kept, entry.header or session),
                    number=line.number,
                    durable=line.durable,
                    more=line.more,
                    seed=seed_of(session.id, session.epoch),
                )
            )
            if words is not None:
                row = rows[words.sequence]
                rows[words.sequence] = replace(
                    row, revision=Revision(line.number), size=len(data[-1])
                )
        return b"".join(data)

    def _read(self, path: Path, start: int, end: int) -> bytes:
        parts: list[bytes] = []
        with self._store.system.opened(path, READ) as descriptor:
            while start < end:
                block = self._store.system.pread(descriptor, min(1 << 20, end - start), start)
                if not block:
                    raise OSError(5, "the file is shorter than it was", str(path))
                parts.append(block)
                start += len(block)
        return b"".join(parts)

    def _replace(self, beside: Path, path: Path, data: bytes, stored: Stored) -> Fingerprint:
        """Puts a file with these records in the place of another, durably."""
        system, session = self._store.system, stored.session
        system.write_whole(beside, data)
        found = self._read(beside, 0, len(data))
        seed = seed_of(session.id, session.epoch)
        if found != data or any(piece.stamp is None for piece in split(found, 0, seed)):
            raise OSError(5, "the new file does not read back as it was written", str(beside))
        system.rename(beside, path)
        system.sync_directory(path.parent)
        with system.opened(path, READ) as descriptor:
            return system.fingerprint_open(descriptor)
