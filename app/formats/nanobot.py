"""Session files of nanobot: a folder of `.jsonl` files, each a metadata line and its messages.

Source of the shape: nanobot 0.3, `session/manager.py`. The key in the metadata line is the one
to trust, because the file's name writes `_` for the first `:` and so stands for two keys. A lost
metadata line leaves only the name, read as nanobot itself reads it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from app.formats.chat_messages import ChatReader
from app.formats.conversation import Conversation, Item, Notice, Progress, no_progress
from app.formats.lines import Line, SourceUnreadable, Unreadable, parse_record, read_lines
from app.formats.openai import DEFAULT_START
from app.formats.times import local_zone, take_time
from app.model.message import NewMessage
from app.model.records import Damage
from app.model.timestamps import to_timestamp

FORMAT = "nanobot"

_HOLE = re.compile(rb"\x00+")
_RECORD_START = re.compile(rb'\{"(?:role|_type)"')


async def read_nanobot(
    folder: Path,
    *,
    start: datetime = DEFAULT_START,
    zone: tzinfo | None = None,
    progress: Progress = no_progress,
) -> AsyncIterator[Item]:
    """Yields the conversations of a folder in the order of their files' names.

    nanobot writes local times without an offset: they are read in `zone`, by default this
    machine's. `start` is when a session without any time was created. Raises `SourceUnreadable`.
    """
    files = await asyncio.to_thread(_list_files, folder)
    total = sum(size for _, size in files)
    done = 0
    for path, size in files:

        def report(read: int, _: int, done: int = done) -> None:
            progress(done + read, total)

        file = _SessionFile(path.name, start, zone or local_zone())
        try:
            async for line in read_lines(path, report):
                for item in file.take(line):
                    yield item
        except SourceUnreadable as error:
            yield Damage(path.name, 1, str(error), b"")
        else:
            for item in file.finish():
                yield item
        done += size


def _list_files(folder: Path) -> list[tuple[Path, int]]:
    try:
        files = [(path, path.stat().st_size) for path in folder.glob("*.jsonl") if path.is_file()]
    except OSError as error:
        raise SourceUnreadable(f"{folder} can't be read: {error.strerror}") from error
    if not files:
        inner = folder / "sessions"
        hint = f"; try {inner}" if inner.is_dir() else ""
        raise SourceUnreadable(f"{folder} holds no session file (*.jsonl){hint}")
    return sorted(files)


class _SessionFile:
    """What has been read of one file so far."""

    def __init__(self, source: str, start: datetime, zone: tzinfo) -> None:
        self._source = source
        self._start = start
        self._zone = zone
        self._chat = ChatReader(zone)
        self._header: dict[str, Any] | None = None
        self._header_line = 0
        self._first_damaged = False
        self._lines = 0
        self._messages: list[NewMessage] = []

    def take(self, line: Line) -> Iterator[Item]:
        """Takes one line in, and yields what is to be said of it."""
        self._lines += 1
        try:
            records = [parse_record(line)]
        except Unreadable as error:
            records = [] if line.overlong else list(_records_within(line))
            self._first_damaged |= self._lines == 1
            kept = f"; {len(records)} whole records in it are kept" if records else ""
            yield Damage(self._source, line.number, f"{error}{kept}", line.content)
        for record in records:
            try:
                notice = self._take_record(record, line.number)
            except Unreadable as error:
                self._first_damaged |= self._lines == 1
                yield Damage(self._source, line.number, str(error), line.content)
            else:
                if notice is not None:
                    yield notice

    def finish(self) -> Iterator[Item]:
        """Yields the conversation, and what is to be said of the file as a whole."""
        if self._lines == 0:
            yield Damage(self._source, 1, "the file is empty", b"")
            return
        if self._header is None and not self._messages:
            return
        header = dict(self._header or {})
        key = header.pop("key", None) or self._fallback_key()
        if self._header is None:
            reason = f"there is no metadata line: the key {key} is read from the file's name"
            if self._first_damaged:
                yield Notice(self._source, 1, reason)
            else:
                yield Damage(self._source, 1, reason, b"")
        yield self._conversation(key, header)

    def _take_record(self, record: dict[str, Any], line: int) -> Notice | None:
        kind = record.get("_type")
        if kind == "metadata":
            return self._take_header(record, line)
        if kind is not None:
            raise Unreadable(f"a record of the type {kind!r} is unknown")
        self._messages.append(self._chat.read(record))
        return None

    def _take_header(self, record: dict[str, Any], line: int) -> Notice | None:
        header = {name: value for name, value in record.items() if name != "_type"}
        key = header.get("key")
        if key is not None and (not isinstance(key, str) or not key):
            raise Unreadable("the key in the metadata line is no text")
        before = self._header
        if before is None:
            self._header, self._header_line = header, line
            if self._lines == 1 or self._first_damaged:
                return None
            return Notice(self._source, line, "the metadata line is not the first of the file")
        if key is not None and before.get("key") not in (None, key):
            raise Unreadable(
                f"a second metadata line names another key, {key}, than line {self._header_line}"
            )
        # nanobot lets a later metadata line replace an earlier one.
        self._header = before | header
        return Notice(
            self._source, line, f"a second metadata line replaces that of line {self._header_line}"
        )

    def _fallback_key(self) -> str:
        return self._source.removesuffix(".jsonl").replace("_", ":", 1)

    def _conversation(self, key: str, header: dict[str, Any]) -> Conversation:
        created_at = take_time(header, ("created_at",), self._zone)
        given = next((m.created_at for m in self._messages if m.created_at is not None), None)
        nested = header.pop("metadata", None)
        metadata: dict[str, Any] = dict(nested) if isinstance(nested, dict) else {}
        if nested is not None and not isinstance(nested, dict):
            metadata["metadata"] = nested
        title = metadata.get("title")
        if isinstance(title, str) and title.strip():
            del metadata["title"]
        else:
            title = None
        channel, colon, _ = key.partition(":")
        return Conversation(
            key=key,
            title=title,
            channel=channel if colon and channel else None,
            created_at=created_at or given or to_timestamp(self._start),
            metadata={**header, **metadata},
            messages=tuple(self._messages),
            source=self._source,
            line=self._header_line or 1,
            format=FORMAT,
        )


def _records_within(line: Line) -> Iterator[dict[str, Any]]:
    """Yields the whole records of a damaged line.

    Lost line breaks put healthy records beside a hole of NUL bytes, or behind a torn record.
    """
    for piece in _HOLE.split(line.content):
        # Inside a text the quotation mark would be escaped, so these are starts of objects.
        starts = [0, *[match.start() for match in _RECORD_START.finditer(piece) if match.start()]]
        end = len(piece)
        found: list[dict[str, Any]] = []
        for begin in reversed(starts):
            try:
                record = parse_record(Line(line.number, piece[begin:end]))
            except Unreadable:
                continue
            if "role" in record or "_type" in record:
                found.append(record)
                end = begin
        yield from reversed(found)
