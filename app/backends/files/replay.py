"""Reading a session's files from their beginning: its state, and exactly what is missing of it.

The numbers of the records tell damage apart. Behind the highest number that is known to have been
durable, whatever does not go on without a fault was never acknowledged: reading ends there, and
the rest is to be cut. Before it, damage has taken records that were acknowledged: they are named,
and reading goes on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from app.backends.files.catalogue import FileState, Rows, Stored
from app.backends.files.draft import Draft
from app.backends.files.entry import Entry, entry_of, header_of
from app.backends.files.named import Named
from app.backends.files.names import Layout, file_name
from app.backends.files.record import Piece, Stamp, fields_of, seed_of, stamp_of
from app.backends.files.segment import Segment
from app.backends.files.system import READ, Fingerprint, System
from app.model import identifiers
from app.model.identifiers import Revision, SessionKey
from app.model.session import Session

_SEGMENT = re.compile(r"\d{12}\.jsonl")

Ranges = tuple[tuple[int, int], ...]


class Unreadable(Exception):
    """A file that can't be told to belong to any session. The message says why."""


@dataclass(slots=True)
class Replayed:
    """What a session's files hold. `cut` is where what was never acknowledged begins, `stray`
    counts the bytes before it that are no records, or copies of records."""

    draft: Draft
    fingerprint: Fingerprint
    segments: list[int]
    first: int
    durable: int
    last: int = 0
    last_crc: str = ""
    cut: int | None = None
    stray: int = 0
    newer: list[tuple[Entry, int]] = field(default_factory=list)
    missing: list[tuple[int, int]] = field(default_factory=list)
    missing_messages: list[tuple[int, int]] = field(default_factory=list)
    named: Named = field(default_factory=Named)

    def file_state(self, fingerprint: Fingerprint, draft: Draft) -> FileState:
        """Returns how far the file is indexed with this."""
        return FileState(
            fingerprint,
            self.first,
            self.last,
            self.last_crc,
            draft.archived_through,
            draft.dead,
            draft.life,
            tuple(self.missing),
            tuple(self.missing_messages),
        )


class Replay:
    """Reads the files of one session. Takes nothing for granted but what the index knew of it."""

    def __init__(self, layout: Layout, system: System, name: str, known: Stored | None) -> None:
        self._layout = layout
        self._system = system
        self._name = name
        self._known = known

    def read(self) -> Replayed | None:
        """Reads everything; None where there is no active file or nothing whole in a torn one.

        Raises `Unreadable`.
        """
        path = self._layout.active(self._name)
        if self._system.fingerprint(path) is None:
            return None
        with self._system.opened(path, READ) as descriptor:
            size = self._system.fingerprint_open(descriptor).size
            header = self._identify(descriptor, size)
            if header is None:
                return None
            segment = Segment(self._system, descriptor, size, seed_of(header.id, header.epoch))
            replayed = self._start(header, segment, self._system.fingerprint_open(descriptor))
            walk = _Walk(replayed, self._known_revision(header))
            for at, first in enumerate(replayed.segments):
                following = [*replayed.segments, replayed.first][at + 1]
                self._walk_sealed(walk, first, following)
            walk.walk_active(segment)
        replayed.draft.finish()
        return replayed

    def _known_revision(self, header: Session) -> int:
        known = self._known
        if known is None or known.session.position.epoch != header.epoch:
            return 0
        return known.session.revision if known.session.id == header.id else 0

    def _identify(self, descriptor: int, size: int) -> Session | None:
        """Returns the fields of the first whole header; None for a file that is torn from its
        first line on."""
        whole_lines = 0
        for piece in Segment(self._system, descriptor, size, 0).pieces():
            whole_lines += piece.end <= size
            header = _header(piece.content)
            if header is None:
                continue
            if file_name(SessionKey(header.owner_id, header.key)) != self._name:
                raise Unreadable("its header names another session than its name does")
            return header
        if self._known is not None:
            return self._known.session
        if whole_lines == 0:
            return None
        raise Unreadable("no header in it is whole")

    def _start(self, header: Session, segment: Segment, fingerprint: Fingerprint) -> Replayed:
        first = 1
        for piece in segment.pieces():
            if piece.stamp is not None:
                entry = entry_of(fields_of(piece.content), piece.stamp.number, header.id)
                first = piece.stamp.number + (entry.event is None)
                break
        else:
            if self._known is not None:
                first = self._known.file.first
        names = self._system.list_names(self._layout.sealed(self._name))
        segments = [int(name[:12]) for name in names if _SEGMENT.fullmatch(name)]
        segments = [number for number in segments if number < first]
        start = replace(
            header,
            revision=Revision(0),
            last_activity_at=header.created_at,
            last_message_at=None,
            message_count=0,
            archived_message_count=0,
            preview=None,
            last_sequence=identifiers.Sequence(0),
        )
        draft = Draft(start, Rows(header.id, None))
        return Replayed(draft, fingerprint, segments, first, durable=first - 1)

    def _walk_sealed(self, walk: _Walk, first: int, following: int) -> None:
        path = self._layout.segment(self._name, first)
        session = walk.replayed.draft.session
        with self._system.opened(path, READ) as descriptor:
            size = self._system.fingerprint_open(descriptor).size
            seed = seed_of(session.id, session.epoch)
            walk.walk_sealed(Segment(self._system, descriptor, size, seed), following)


def _header(line: bytes) -> Session | None:
    if not line.startswith(b'{"_type": "metadata"'):
        return None
    try:
        fields = fields_of(line)
    except ValueError:
        return None
    session_id, epoch = fields.get("id"), fields.get("epoch")
    if not isinstance(session_id, str) or not isinstance(epoch, str):
        return None
    stamp = stamp_of(line, seed_of(session_id, epoch))
    return None if stamp is None else header_of(fields, Revision(stamp.number))


class _Walk:
    """One pass over all records of a session."""

    def __init__(self, replayed: Replayed, known_revision: int) -> None:
        self.replayed = replayed
        self._last = 0
        self._known_revision = known_revision
        self._commit: list[tuple[Piece, Stamp, Entry]] = []
        self._durable: int | None = None

    def walk_sealed(self, segment: Segment, following: int) -> None:
        """Takes in the records of a sealed segment that the next one does not begin with."""
        for piece in segment.pieces():
            if piece.stamp is None:
                self.replayed.stray += len(piece.content)
                continue
            if piece.stamp.number >= following:
                break
            self._take(piece, piece.stamp)

    def walk_active(self, segment: Segment) -> None:
        """Takes in the active file's records, up to where it was never acknowledged."""
        broken_at: int | None = None
        stray = 0
        for piece in segment.pieces():
            stamp = piece.stamp
            if stamp is None:
                broken_at = piece.offset if broken_at is None else broken_at
                stray += len(piece.content)
                continue
            faulty = broken_at is not None or stamp.number > self._last + 1
            if faulty and self._last + 1 > self._durable_of(segment):
                if stamp.number <= self._last:
                    # A copy of what is known already tells nothing of what the damage took.
                    stray += len(piece.content)
                    continue
                if not self._is_next(piece, stamp):
                    self._cut(piece.offset if broken_at is None else broken_at)
                    return
            broken_at = None
            if not self._take(piece, stamp, remember=True):
                stray += len(piece.content)
            self.replayed.stray += stray
            stray = 0
        if broken_at is not None and self._last + 1 > self._durable_of(segment):
            self._cut(broken_at)
            return
        self.replayed.stray += stray
        if self._commit and self._begun() > self._durable_of(segment):
            self._cut(self._commit[0][0].offset)
            return
        self._settle(remember=True)
        if self._last < self._known_revision:
            self._miss(self._last + 1, self._known_revision)
            self._last = self._known_revision

    def _is_next(self, piece: Piece, stamp: Stamp) -> bool:
        """Answers whether a record goes on from the last one, so that none is between them."""
        session_id = self.replayed.draft.session.id
        entry = entry_of(fields_of(piece.content), stamp.number, session_id)
        return entry.event is not None and stamp.number == self._last + 1

    def _durable_of(self, segment: Segment) -> int:
        if self._durable is None:
            told = [piece.stamp.durable for piece in segment.pieces() if piece.stamp is not None]
            self._durable = max([self.replayed.durable, self._known_revision, *told])
            self.replayed.durable = self._durable
        return self._durable

    def _cut(self, offset: int) -> None:
        if self._commit and self._begun() <= self.replayed.durable:
            self._settle(remember=True)
        self.replayed.cut = self._commit[0][0].offset if self._commit else offset
        self._commit = []

    def _begun(self) -> int:
        """Returns the number that the commit begins with whose end has not been met."""
        return self._commit[0][1].number

    def _take(self, piece: Piece, stamp: Stamp, *, remember: bool = False) -> bool:
        """Takes a record in; False for a second copy of one."""
        entry = entry_of(fields_of(piece.content), stamp.number, self.replayed.draft.session.id)
        expected = self._last + 1 if entry.event is not None else self._last
        if stamp.number < expected:
            return False
        if stamp.number > expected:
            self._settle(remember=remember)
            self._miss(self._last + 1, stamp.number - (entry.event is not None), entry)
        self._last = stamp.number
        self._commit.append((piece, stamp, entry))
        if not stamp.more:
            self._settle(remember=remember)
        return True

    def _settle(self, *, remember: bool) -> None:
        replayed = self.replayed
        for piece, stamp, entry in self._commit:
            size = len(piece.content) + 1
            replayed.draft.apply(entry, size=size)
            replayed.named.add_entry(entry)
            if stamp.number >= self._known_revision + (entry.event is not None):
                replayed.newer.append((entry, size))
            if remember:
                replayed.last, replayed.last_crc = piece.offset, stamp.crc
        self._commit = []

    def _miss(self, low: int, high: int, following: Entry | None = None) -> None:
        self.replayed.missing.append((low, high))
        session = self.replayed.draft.session
        if following is None:
            return
        added = following.event is not None and following.header is None
        given = following.last_sequence - added
        if given > session.last_sequence:
            self.replayed.missing_messages.append((session.last_sequence + 1, given))


def known_ranges(numbers: Sequence[int]) -> Ranges:
    """Returns ascending numbers as ranges, both ends in."""
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return tuple(ranges)


def numbers_in(ranges: Ranges | list[tuple[int, int]]) -> Iterator[int]:
    """Yields the numbers of ranges."""
    for low, high in ranges:
        yield from range(low, high + 1)
