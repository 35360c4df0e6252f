"""The parts of a message, and their one stored form: a JSON object with its kind under `type`.

A field that two kinds have is of the same type in both, so that a query can select both.

Parts are typed where they are stored, so that nothing is guessed on reading: text that looks like
JSON stays text. A kind that this version does not know is kept whole as `OtherPart`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, TypeAlias

import orjson
from msgspec import DecodeError, Meta, Struct
from msgspec.json import Decoder
from msgspec.structs import fields

WholeNumber: TypeAlias = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
"""A number that every decoder of JSON reads as the same."""


class _StoredPart(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A part whose fields are all known; its stored form begins with its tag."""


class TextPart(_StoredPart, frozen=True, tag="text"):
    """Words, as written."""

    text: str


class ReasoningPart(_StoredPart, frozen=True, tag="reasoning"):
    """What a model thought before it answered; `signature` is its provider's proof of it."""

    text: str
    signature: str | None = None


class ImagePart(_StoredPart, frozen=True, tag="image"):
    """A picture by address (http, https or data URL)."""

    url: str
    media_type: str | None = None
    detail: str | None = None
    alt: str | None = None


class AudioPart(_StoredPart, frozen=True, tag="audio"):
    """A recording by address (http, https or data URL)."""

    url: str
    media_type: str | None = None
    transcript: str | None = None


class FilePart(_StoredPart, frozen=True, tag="file"):
    """A file by address; `size` in bytes."""

    url: str
    file_name: str | None = None
    media_type: str | None = None
    size: WholeNumber | None = None


class ToolCallPart(_StoredPart, frozen=True, tag="tool_call"):
    """A call that a model asked for. `arguments_text` is what it wrote, valid JSON or not."""

    tool_call_id: str
    name: str
    arguments_text: str


class ToolResultPart(_StoredPart, frozen=True, tag="tool_result"):
    """What a tool answered to the call of that id."""

    tool_call_id: str
    text: str
    tool_name: str | None = None
    is_error: bool = False


class OtherPart(Struct, frozen=True, gc=False):
    """A part of a kind that this version does not know, kept as it came."""

    kind: str
    data: Mapping[str, Any]


KnownPart: TypeAlias = (
    TextPart | ReasoningPart | ImagePart | AudioPart | FilePart | ToolCallPart | ToolResultPart
)
Part: TypeAlias = KnownPart | OtherPart

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

_KNOWN_PARTS: Final = Decoder(tuple[KnownPart, ...])
"""Decodes known kinds with nothing but their fields, of the types that they have."""


def part_to_json(part: Part) -> dict[str, Any]:
    """Returns a part's stored form; fields that hold their default are left out."""
    # First, as most parts are.
    if type(part) is TextPart:
        return {"type": "text", "text": part.text}
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
    """Returns the parts of stored JSON text. orjson.JSONDecodeError for text that is no JSON."""
    try:
        return _KNOWN_PARTS.decode(text)
    except (DecodeError, UnicodeError):
        # A kind or a field of another version, or text that the slower decoder knows better.
        pass
    return tuple([part_from_json(stored) for stored in orjson.loads(text)])


def plain_text(parts: Iterable[Part]) -> str:
    """Returns the words of a message: its text parts, joined by a line break."""
    return "\n".join([part.text for part in parts if isinstance(part, TextPart)])
