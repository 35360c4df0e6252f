"""What text and JSON every store can keep and every client can read.

U+0000 has no place in the text of some databases, lone surrogates have no UTF-8, and NaN, the
infinities and integers beyond 64 bits have no JSON that everybody reads alike. They are refused
on the way in, so that no backend has to answer for them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from app.model.errors import InvalidInput, LimitExceeded

Path = tuple[str, ...]

_LOWEST_INTEGER = -(1 << 63)
_HIGHEST_INTEGER = (1 << 63) - 1


def check_text(text: str, path: Path) -> int:
    """Returns the size of the text in bytes of UTF-8. InvalidInput for what can't be kept."""
    if "\x00" in text:
        raise InvalidInput("Text can't hold the character U+0000.", path)
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise InvalidInput("Text can't hold half of a surrogate pair.", path) from None


def check_length(text: str, most: int, path: Path) -> int:
    """Returns the size of a text of at most `most` characters. LimitExceeded for a longer one."""
    if len(text) > most:
        raise LimitExceeded(f"{path[-1]} has {len(text)} characters, {most} are allowed.", path)
    return check_text(text, path)


def check_json(value: object, path: Path, depth: int) -> int:
    """Returns about how many bytes a JSON value takes, at most `depth` objects and lists deep.

    InvalidInput for what can't be kept, with the path of the value at fault; LimitExceeded for a
    value that is nested deeper.
    """
    if value is None or isinstance(value, bool):
        return 4
    if isinstance(value, str):
        return check_text(value, path) + 2
    if isinstance(value, int):
        if not _LOWEST_INTEGER <= value <= _HIGHEST_INTEGER:
            raise InvalidInput("A whole number has to fit into 64 bits.", path)
        return len(str(value))
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidInput("A number has to be finite: NaN and infinity are no JSON.", path)
        return len(repr(value))
    if depth == 0:
        raise LimitExceeded("JSON is nested too deeply.", path)
    if isinstance(value, Mapping):
        return _check_object(value, path, depth - 1)
    if isinstance(value, (list, tuple)):
        return 2 + sum(
            check_json(item, (*path, str(index)), depth - 1) + 1 for index, item in enumerate(value)
        )
    raise InvalidInput("This is no JSON value.", path)


def check_json_object(value: object, most: int, path: Path, depth: int) -> int:
    """Returns the size of a JSON object of at most `most` bytes.

    InvalidInput for any other value, LimitExceeded for a larger one.
    """
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{path[-1]} has to be a JSON object.", path)
    size = check_json(value, path, depth)
    if size > most:
        raise LimitExceeded(f"{path[-1]} has {size} bytes, {most} are allowed.", path)
    return size


def _check_object(value: Mapping[Any, Any], path: Path, depth: int) -> int:
    size = 2
    for key, item in value.items():
        if not isinstance(key, str):
            raise InvalidInput("The keys of a JSON object have to be text.", path)
        size += check_text(key, path) + 4
        size += check_json(item, (*path, key), depth)
    return size
