"""The parts of a message, and their one stored form: a JSON object with its kind under `type`.

A field that two kinds have is of the same type in both, so that a query can select both.

Parts are typed where they are stored, so that nothing is guessed on reading: text that looks like
JSON stays text. A kind that this version does not know is kept whole as `OtherPart`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import orjson


@dataclass(frozen=True, slots=True)
class TextPart:
    """Words, as written."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningPart:
    """What a model thought before it answered; `signature` is its provider's proof of it."""

    text: str
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class ImagePart:
    """A picture by address (http, https or data URL)."""

    url: str
    media_type: str | None = None
    detail: str | None = None
    alt: str | None = None


@dataclass(frozen=True, slots=True)
class AudioPart:
    """A recording by address (http, https or data URL)."""

    url: str
    media_type: str | None = None
    transcript: str | None = None


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file by address; `size` in bytes."""

    url: str
    file_name: str | None = None
    media_type: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class ToolCallPart:
    """A call that a model asked for. `arguments_text` is what it wrote, valid JSON or not."""

    tool_call_id: str
    name: str
    arguments_text: str


@dataclass(frozen=True, slots=True)
class ToolResultPart:
    """What a tool answered to the call of that id."""

    tool_call_id: str
    text: str
    tool_name: str | None = None
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class OtherPart:
    """A part of a kind that this version does not know, kept as it came."""

    kind: str
    data: Mapping[str, Any]


Part: TypeAlias = (
    TextPart
    | ReasoningPart
    | ImagePart
    | AudioPart
    | FilePart
    | ToolCallPart
    | ToolResultPart
    | OtherPart
)

_KINDS: Mapping[str, type[Any]] = {
    "text": TextPart,
    "reasoning": ReasoningPart,
    "image": ImagePart,
    "audio": AudioPart,
    "file": FilePart,
    "tool_call": ToolCallPart,
    "tool_result": ToolResultPart,
}
_NAMES: Mapping[type[Any], str] = {part: kind for kind, part in _KINDS.items()}
_FIELDS: Mapping[type[Any], tuple[tuple[str, Any], ...]] = {
    part: tuple((field.name, field.default) for field in fields(part)) for part in _NAMES
}
KNOWN_KINDS = frozenset(_KINDS)


def part_to_json(part: Part) -> dict[str, Any]:
    """Returns a part's stored form; fields that hold their default are left out."""
    if isinstance(part, OtherPart):
        return {"type": part.kind, **part.data}
    kind = type(part)
    stored: dict[str, Any] = {"type": _NAMES[kind]}
    for name, default in _FIELDS[kind]:
        value = getattr(part, name)
        if value != default:
            stored[name] = value
    return stored


def part_from_json(stored: Mapping[str, Any]) -> Part:
    """Returns the part of a stored form.

    A known kind with a field that it does not have is kept whole as `OtherPart`, not cut down.
    """
    values = dict(stored)
    kind = values.pop("type")
    known = _KINDS.get(kind)
    if known is None:
        return OtherPart(kind=kind, data=values)
    try:
        part: Part = known(**values)
    except TypeError:
        return OtherPart(kind=kind, data=values)
    return part


def encode_parts(parts: Iterable[Part]) -> str:
    """Returns the JSON text of parts as it is stored."""
    return orjson.dumps([part_to_json(part) for part in parts]).decode()


def decode_parts(text: str | bytes) -> tuple[Part, ...]:
    """Returns the parts of stored JSON text."""
    return tuple([part_from_json(stored) for stored in orjson.loads(text)])


def plain_text(parts: Iterable[Part]) -> str:
    """Returns the words of a message: its text parts, joined by a line break."""
    return "\n".join([part.text for part in parts if isinstance(part, TextPart)])
