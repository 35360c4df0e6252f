"""Records of a session by their numbers, from its active file and its sealed segments."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from msgspec.structs import replace

from app.backends.files.catalogue import Row, Stored
from app.backends.files.entry import Entry, entry_of
from app.backends.files.names import Layout
from app.backends.files.record import fields_of, seed_of
from app.backends.files.segment import Segment
from app.backends.files.system import READ, System
from app.model.identifiers import SessionId
from app.model.message import Message

_FAR = 256
"""From how many numbers ahead on it is quicker to seek than to read what lies between."""


class Moved(Exception):
    """The file is no longer the one that the index speaks of."""


class Lost(Exception):
    """Records that the index knows are not whole in the file."""


class SessionFiles:
    """The files of all sessions of a store, for reading."""

    def __init__(self, layout: Layout, system: System) -> None:
        self._layout = layout
        self._system = system

    def read_entries(
        self, stored: Stored, segments: Sequence[int], revisions: Iterable[int]
    ) -> dict[int, Entry]:
        """Returns the entries of events by number; damaged ones are left out.

        `segments` are the first numbers of the sealed segments. Raises `Moved` when the files are
        not those that the index speaks of.
        """
        firsts = [*segments, stored.file.first]
        wanted: dict[int, list[int]] = {}
        for revision in sorted(set(revisions)):
            at = max(bisect_right(firsts, revision) - 1, 0)
            wanted.setdefault(at, []).append(revision)
        entries: dict[int, Entry] = {}
        for at, numbers in wanted.items():
            with self._segment(stored, firsts, at) as segment:
                entries.update(_find(segment, numbers, stored.session.id))
        return entries

    def read_messages(
        self, stored: Stored, segments: Sequence[int], rows: Sequence[Row]
    ) -> list[Message]:
        """Returns the messages of rows. Raises `Moved`, and `Lost` where one is not whole."""
        entries = self.read_entries(stored, segments, [row.revision for row in rows])
        return [present_message(row, entries) for row in rows]

    @contextmanager
    def _segment(self, stored: Stored, firsts: list[int], at: int) -> Iterator[Segment]:
        active = at == len(firsts) - 1
        name = stored.name
        path = self._layout.active(name) if active else self._layout.segment(name, firsts[at])
        known = stored.file.fingerprint
        seed = seed_of(stored.session.id, stored.session.epoch)
        try:
            descriptor = self._system.open(path, READ)
        except FileNotFoundError as error:
            raise Moved from error
        try:
            found = self._system.fingerprint_open(descriptor)
            if active and (found.inode != known.inode or found.size < known.size):
                raise Moved
            size = known.size if active else found.size
            yield Segment(self._system, descriptor, size, seed)
        finally:
            self._system.close(descriptor)


def present_message(row: Row, entries: dict[int, Entry]) -> Message:
    """Returns the message of a row, as it is now. Raises `Lost`."""
    entry = entries.get(row.revision)
    message = entry.message if entry is not None else None
    if message is None or message.sequence != row.sequence:
        raise Lost
    if message.archived_at == row.archived_at:
        return message
    return replace(message, archived_at=row.archived_at)


def _find(
    segment: Segment, numbers: list[int], session_id: SessionId
) -> Iterator[tuple[int, Entry]]:
    at = 0
    while at < len(numbers):
        start = at
        for piece in segment.pieces(segment.seek(numbers[at])):
            if piece.stamp is None:
                continue
            number = piece.stamp.number
            while at < len(numbers) and numbers[at] < number:
                at += 1
            if at == len(numbers):
                return
            if numbers[at] == number:
                entry = entry_of(fields_of(piece.content), number, session_id)
                if entry.event is not None:
                    yield number, entry
                    at += 1
                    if at == len(numbers):
                        return
            if at > start and numbers[at] - number > _FAR:
                break
        else:
            return
