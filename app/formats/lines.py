"""Files of one JSON value a line, read in chunks on a thread, with what is wrong in each line."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from app.formats.conversation import Progress
from app.model.errors import InvalidInput, LimitExceeded
from app.rules.limits import Limits
from app.rules.text import check_json

CHUNK_BYTES = 1 << 20
LONGEST_LINE = 64 << 20
"""Bytes of a line that are held at once; a longer line is taken apart, and is damage."""

_DEPTH = Limits().json_depth
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# orjson turns an integer beyond 64 bits into a float; the standard library does not.
_LONG_NUMBER = re.compile(rb"[0-9]{19}")


class SourceUnreadable(Exception):
    """A file or folder to import can't be read, or is not what it was said to be."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its line break. `number` counts from 1.

    A line of more than `LONGEST_LINE` bytes comes in several pieces, each `overlong`.
    """

    number: int
    content: bytes
    overlong: bool = False


class Unreadable(ValueError):
    """A line or a value in it can't be read or kept; the text says why."""


async def read_lines(path: Path, progress: Progress) -> AsyncIterator[Line]:
    """Yields the lines of a file that hold more than white space.

    Progress is told in bytes of this file. Raises `SourceUnreadable`.
    """
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except OSError as error:
        raise SourceUnreadable(f"{path} can't be read: {error.strerror}") from error
    with file:
        total = (await asyncio.to_thread(path.stat)).st_size
        number, done = 1, 0
        pending: list[bytes] = []
        size, overlong = 0, False
        while True:
            try:
                chunk = await asyncio.to_thread(file.read, CHUNK_BYTES)
            except OSError as error:
                raise SourceUnreadable(f"{path} can't be read: {error.strerror}") from error
            *ended, rest = chunk.split(b"\n")
            for content in ended:
                whole = b"".join([*pending, content]) if pending else content
                if number == 1:
                    whole = whole.removeprefix(_BYTE_ORDER_MARK)
                if whole.strip() or (whole and overlong):
                    yield Line(number, whole, overlong)
                number += 1
                pending, size, overlong = [], 0, False
            if rest:
                pending.append(rest)
                size += len(rest)
            if size > LONGEST_LINE:
                yield Line(number, b"".join(pending), overlong=True)
                pending, size, overlong = [], 0, True
            done += len(chunk)
            progress(done, max(total, done))
            if not chunk:
                break
        whole = b"".join(pending)
        if number == 1:
            whole = whole.removeprefix(_BYTE_ORDER_MARK)
        if whole.strip():
            yield Line(number, whole, overlong)


def parse_line(line: Line) -> Any:
    """Returns the JSON value of a line. Raises `Unreadable`, saying what is wrong.

    Values that no store can keep (U+0000, half a surrogate pair, NaN) are let through where they
    are valid in the eyes of Python: `check_value` finds them, so that one of them costs a record
    and not its whole conversation.
    """
    content = line.content
    if line.overlong:
        raise Unreadable(f"the line has more than {LONGEST_LINE >> 20} MiB")
    if b"\x00" in content:
        raise Unreadable("the line holds NUL bytes")
    if not _LONG_NUMBER.search(content):
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            pass
    try:
        return json.loads(content.decode())
    except UnicodeDecodeError as error:
        raise Unreadable(f"the line is not UTF-8 at byte {error.start + 1}") from error
    except json.JSONDecodeError as error:
        raise Unreadable(
            f"the line is not JSON: {error.msg} (character {error.pos + 1})"
        ) from error
    except RecursionError as error:
        raise Unreadable("the line is nested too deeply") from error
    except ValueError as error:
        raise Unreadable("the line holds a number that is too long") from error


def check_value(value: object, *, depth: int = _DEPTH) -> None:
    """Raises `Unreadable` for JSON that a store can't keep, see `app.rules.text`."""
    try:
        check_json(value, (), depth)
    except (InvalidInput, LimitExceeded) as error:
        where = ".".join(error.path)
        raise Unreadable(f"{where}: {error.message}" if where else error.message) from error


def parse_record(line: Line, *, depth: int = _DEPTH) -> dict[str, Any]:
    """Returns the JSON object of a line that can be kept as it is. Raises `Unreadable`."""
    value = parse_line(line)
    if not isinstance(value, dict):
        raise Unreadable(f"the line is {_kind(value)}, not a JSON object")
    check_value(value, depth=depth)
    return value


def encode_damaged(value: object) -> bytes:
    """Returns the JSON bytes of a value that `check_value` refused, ASCII and loss-free."""
    return json.dumps(value, separators=(",", ":")).encode()


def _kind(value: object) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "a number"
