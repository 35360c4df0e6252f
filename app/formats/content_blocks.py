"""The content of a chat message: text, or a list of blocks as the OpenAI chat format has them.

Source of the shapes: OpenAI API reference, "Create chat completion", `messages[].content`.
A block of any other shape is kept whole as `OtherPart`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from app.model.parts import (
    KNOWN_KINDS,
    AudioPart,
    FilePart,
    ImagePart,
    OtherPart,
    Part,
    TextPart,
)

_ADDRESSES = ("https:", "http:", "data:")
_AUDIO_TYPES = {"mp3": "audio/mpeg", "wav": "audio/wav"}


def read_content(content: object) -> tuple[list[Part], dict[str, Any]]:
    """Returns the parts of a message's content, and the fields of blocks that parts don't have.

    Those fields are keyed by the index of the part. Empty text gives no part; text is never
    looked into, so that what merely resembles JSON stays text.
    """
    if content is None or content == "":
        return [], {}
    if isinstance(content, str):
        return [TextPart(content)], {}
    if not isinstance(content, list):
        return [OtherPart("content", {"value": content})], {}
    parts: list[Part] = []
    surplus: dict[str, Any] = {}
    for block in content:
        if isinstance(block, str):
            parts.append(TextPart(block))
            continue
        if not isinstance(block, dict):
            parts.append(OtherPart("content", {"value": block}))
            continue
        part, rest = read_block(block)
        if rest:
            surplus[str(len(parts))] = rest
        parts.append(part)
    return parts, surplus


def read_block(block: Mapping[str, Any]) -> tuple[Part, dict[str, Any]]:
    """Returns the part of a block, and the fields of the block that the part does not have."""
    kind = block.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    rest = {name: value for name, value in block.items() if name != "type"}
    part = reader(rest) if reader is not None else None
    if part is not None:
        return part, rest
    return other_part(block, "content"), {}


def other_part(value: Mapping[str, Any], unnamed: str) -> OtherPart:
    """Returns an object as a part of no known kind; `unnamed` is its kind where it names none."""
    kind = value.get("type")
    if not isinstance(kind, str) or not kind:
        return OtherPart(unnamed, {"value": dict(value)})
    if kind in KNOWN_KINDS:
        kind = f"openai_{kind}"
    return OtherPart(kind, {name: field for name, field in value.items() if name != "type"})


def data_address(media_type: str, base64: str) -> str:
    """Returns the data URL of bytes that are already in base64 (RFC 2397)."""
    return f"data:{media_type};base64,{base64}"


def _text(rest: dict[str, Any]) -> Part | None:
    if not isinstance(rest.get("text"), str):
        return None
    return TextPart(rest.pop("text"))


def _image(rest: dict[str, Any]) -> Part | None:
    image = rest.get("image_url")
    fields = {"url": image} if isinstance(image, str) else image
    if not isinstance(fields, dict) or fields.keys() - {"url", "detail"}:
        return None
    url, detail = fields.get("url"), fields.get("detail")
    if not _is_address(url) or not isinstance(detail, str | None):
        return None
    del rest["image_url"]
    return ImagePart(url=url, media_type=_media_type(url), detail=detail)


def _audio(rest: dict[str, Any]) -> Part | None:
    audio = rest.get("input_audio")
    if not isinstance(audio, dict) or audio.keys() != {"data", "format"}:
        return None
    data, form = audio["data"], audio["format"]
    if not isinstance(data, str) or not isinstance(form, str):
        return None
    del rest["input_audio"]
    media_type = _AUDIO_TYPES.get(form, f"audio/{form}")
    return AudioPart(url=data_address(media_type, data), media_type=media_type)


def _file(rest: dict[str, Any]) -> Part | None:
    file = rest.get("file")
    if not isinstance(file, dict) or file.keys() - {"file_data", "filename"}:
        return None
    url, name = file.get("file_data"), file.get("filename")
    if not _is_address(url) or not isinstance(name, str | None):
        return None
    del rest["file"]
    return FilePart(url=url, file_name=name, media_type=_media_type(url))


_READERS: Mapping[str, Callable[[dict[str, Any]], Part | None]] = {
    "text": _text,
    "input_text": _text,
    "output_text": _text,
    "image_url": _image,
    "input_audio": _audio,
    "file": _file,
}


def _is_address(url: object) -> TypeGuard[str]:
    return isinstance(url, str) and url.lower().startswith(_ADDRESSES)


def _media_type(url: str) -> str | None:
    if not url.lower().startswith("data:"):
        return None
    declared = url[len("data:") :].split(",", 1)[0].split(";", 1)[0]
    return declared or None
