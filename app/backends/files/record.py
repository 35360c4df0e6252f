"""One record as one line: plain JSON that ends in its number, what was durable, and a checksum.

    {"role": "user", …, "_seq": 12, "_d": 11, "_crc": "9f3a01bc"}

`_seq` is the number of the event (a line that tells of none repeats the last), `_d` the highest
number that was known durable when the line was written, `_more` stands in every line of a commit
but its last, and `_crc` is the CRC-32 of the bytes before it (RFC 1952, section 8), begun from
that of the session's id and epoch, so that no line passes for one of another file.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from app.model.refusals import no_json

_TAIL = re.compile(
    rb', "_seq": (\d{1,18}), "_d": (\d{1,18})(, "_more": true)?, "_crc": "([0-9a-f]{8})"\}$'
)
_END = re.compile(rb', "_crc": "[0-9a-f]{8}"\}')
_CRC_LENGTH = len(b', "_crc": "00000000"}')


@dataclass(frozen=True, slots=True)
class Stamp:
    """The numbers of a line that was found whole."""

    number: int
    durable: int
    more: bool
    crc: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a file between two line breaks: a whole record, or, without stamp, damage."""

    offset: int
    content: bytes
    stamp: Stamp | None

    @property
    def end(self) -> int:
        """Where the next line begins."""
        return self.offset + len(self.content) + 1


def seed_of(*names: str) -> int:
    """Returns what the checksums of a file begin from."""
    return zlib.crc32("\n".join(names).encode())


def encode_record(
    fields: Mapping[str, Any], *, number: int, durable: int, more: bool, seed: int
) -> bytes:
    """Returns the line of a record, with its line break. InvalidInput for what is no JSON."""
    try:
        # Refuses what would not be read back as it was: integers beyond 64 bits above all.
        orjson.dumps(fields)
        text = json.dumps(fields, ensure_ascii=False, allow_nan=False)
        start = text[:-1].encode()
    except (TypeError, ValueError) as error:
        raise no_json() from error
    start += b', "_seq": %d, "_d": %d%b' % (number, durable, b', "_more": true' if more else b"")
    return b'%b, "_crc": "%08x"}\n' % (start, zlib.crc32(start, seed))


def stamp_of(line: bytes, seed: int) -> Stamp | None:
    """Returns the numbers of a line, None where its checksum does not fit."""
    found = _TAIL.search(line[-128:])
    if found is None:
        return None
    number, durable, more, crc = found.groups()
    if zlib.crc32(memoryview(line)[:-_CRC_LENGTH], seed) != int(crc, 16):
        return None
    return Stamp(int(number), int(durable), more is not None, crc.decode())


def fields_of(line: bytes) -> dict[str, Any]:
    """Returns what a line says whose checksum was found right."""
    fields: dict[str, Any] = orjson.loads(line)
    return fields


def split(data: bytes, offset: int, seed: int) -> Iterator[Piece]:
    """Yields the lines of whole lines of bytes; `offset` is where these lie in their file.

    Two records that have lost the line break between them are found all the same.
    """
    at = 0
    for content in data.split(b"\n"):
        if content.strip():
            stamp = stamp_of(content, seed)
            if stamp is not None:
                yield Piece(offset + at, content, stamp)
            else:
                yield from _salvage(content, offset + at, seed)
        at += len(content) + 1


def _salvage(content: bytes, offset: int, seed: int) -> Iterator[Piece]:
    start = 0
    for end in (match.end() for match in _END.finditer(content)):
        for begin in _starts(content, start, end):
            stamp = stamp_of(content[begin:end], seed)
            if stamp is not None:
                if begin > start:
                    yield Piece(offset + start, content[start:begin], None)
                yield Piece(offset + begin, content[begin:end], stamp)
                start = end
                break
    if start < len(content):
        yield Piece(offset + start, content[start:], None)


def _starts(content: bytes, start: int, end: int) -> Iterator[int]:
    """Yields where a record may begin: inside of a text a quotation mark would be escaped."""
    for opening in (b'{"role": "', b'{"_type": "'):
        at = content.find(opening, start, end)
        while at >= 0:
            yield at
            at = content.find(opening, at + 1, end)
