"""Our own archive: everything a store holds, as JSON Lines that load again to the same content.

The first line is `{"type":"scrollback","version":1}`, the last `{"type":"end","records":n}`, and
between them each line is one record: users, agents and profiles, then every session with its
messages, events and idempotency keys behind it, then deletions, and kept damage. The same content
always gives the same bytes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from app.formats.archive_records import decode_record, encode_record
from app.formats.conversation import Progress, no_progress
from app.formats.lines import (
    Line,
    SourceUnreadable,
    Unreadable,
    parse_line,
    parse_record,
    read_lines,
)
from app.model.events import Event
from app.model.message import Message
from app.model.records import Damage, Deletion, IdempotencyRecord, Record
from app.model.session import Session

VERSION = 1

_CHUNK_BYTES = 1 << 20
_HEADER = {"type": "scrollback", "version": VERSION}


async def encode_archive(
    records: AsyncIterator[Record], *, on_record: Callable[[Record], None]
) -> AsyncGenerator[bytes, None]:
    """Yields the bytes of an archive in chunks of about a mebibyte."""
    pending = [orjson.dumps(_HEADER, option=orjson.OPT_APPEND_NEWLINE)]
    size = count = 0
    async for record in records:
        line = encode_record(record)
        pending.append(line)
        size += len(line)
        count += 1
        on_record(record)
        if size >= _CHUNK_BYTES:
            yield b"".join(pending)
            pending, size = [], 0
    pending.append(_end_line(count))
    yield b"".join(pending)


async def read_archive(
    path: Path, *, on_damage: Callable[[Damage], None], progress: Progress = no_progress
) -> AsyncIterator[Record]:
    """Yields the records of an archive; what is damaged comes as `Damage`, and is told.

    The file is read twice: a session that is not whole in it (a line is damaged or missing) must
    be known before its first record is given away, so that it is left out as a whole. All its
    lines are then kept as damage. Raises `SourceUnreadable` for what is no archive.
    """
    survey = _Survey()
    async for line in read_lines(path, lambda read, total: progress(read, 2 * total)):
        survey.take(path, line)
    survey.finish()
    # Whose records may stand here: after a deletion, the idempotency keys of what was deleted.
    before: Session | Deletion | None = None
    async for line in read_lines(path, lambda read, total: progress(total + read, 2 * total)):
        if line.number in (1, survey.end_line):
            continue
        record, reason = _decode(line)
        if isinstance(record, Session | Deletion):
            before = record
        if isinstance(record, Session | Message | Event | IdempotencyRecord):
            reason = survey.fault_of(record, before)
        if record is None or reason:
            record = Damage(path.name, line.number, reason, line.content)
            on_damage(record)
        yield record
    if reason := survey.missing():
        missing = Damage(path.name, survey.last_line, reason, b"")
        on_damage(missing)
        yield missing


@dataclass(slots=True)
class _Counted:
    session: Session
    messages: int = 0
    events: int = 0

    @property
    def whole(self) -> bool:
        return self.messages == self.session.message_count and self.events == self.session.revision


class _Survey:
    """The first reading: which sessions are not whole, and where the archive ends."""

    def __init__(self) -> None:
        self.end_line: int | None = None
        self.last_line = 1
        self._records = 0
        self._declared: object = None
        self._broken: set[str] = set()
        self._current: _Counted | None = None

    def take(self, path: Path, line: Line) -> None:
        """Takes one line in. Raises `SourceUnreadable` where the first is no header of ours."""
        if line.number == 1:
            _check_header(path, line)
            return
        self.last_line = line.number
        if line.content.startswith(b'{"type":"end"'):
            self.end_line = line.number
            self._declared = _declared_count(line)
            return
        self._records += 1
        record, _ = _decode(line)
        current = self._current
        if isinstance(record, Session):
            self.finish()
            self._current = _Counted(record)
        elif (
            current is not None
            and isinstance(record, Message | Event)
            and record.session_id == current.session.id
        ):
            current.messages += isinstance(record, Message)
            current.events += isinstance(record, Event)

    def finish(self) -> None:
        """Ends the session that was being counted."""
        if self._current is not None and not self._current.whole:
            self._broken.add(self._current.session.id)
        self._current = None

    def missing(self) -> str:
        """Returns what the archive lacks as a whole; empty where it is complete."""
        if self.end_line is None:
            return "the archive is cut off: its last line is missing"
        if self._declared != self._records:
            return f"the archive was of {self._declared} records and has {self._records}"
        return ""

    def fault_of(
        self,
        record: Session | Message | Event | IdempotencyRecord,
        before: Session | Deletion | None,
    ) -> str:
        """Returns why a record of a session can't be loaded; empty where it can."""
        session_id = record.id if isinstance(record, Session) else record.session_id
        if session_id in self._broken:
            return f"its session {session_id} is not whole in the archive"
        match before:
            case Session() if before.id == session_id:
                return ""
            case Deletion() if before.session_id == session_id and isinstance(
                record, IdempotencyRecord
            ):
                return ""
            case _:
                return f"its session {session_id} does not stand before it"


def _decode(line: Line) -> tuple[Record | None, str]:
    if line.overlong:
        return None, "the line is too long"
    try:
        return decode_record(line.content), ""
    except Unreadable as error:
        return None, str(error)


def _check_header(path: Path, line: Line) -> None:
    try:
        header = parse_line(line)
    except Unreadable:
        header = None
    if not isinstance(header, dict) or header.get("type") != "scrollback":
        raise SourceUnreadable(
            f"{path} is no archive of Scrollback: its first line would be "
            f"{orjson.dumps(_HEADER).decode()}"
        )
    if header.get("version") != VERSION:
        raise SourceUnreadable(
            f"{path} is an archive of version {header.get('version')}, this program reads "
            f"{VERSION}: upgrade Scrollback"
        )


def _declared_count(line: Line) -> object:
    try:
        return parse_record(line).get("records")
    except Unreadable:
        return None


def _end_line(count: int) -> bytes:
    return orjson.dumps({"type": "end", "records": count}, option=orjson.OPT_APPEND_NEWLINE)
