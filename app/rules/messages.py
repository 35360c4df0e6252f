"""What a message may hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import fields

from app.model.errors import InvalidInput, LimitExceeded
from app.model.message import NewMessage, Sender
from app.model.parts import (
    KNOWN_KINDS,
    AudioPart,
    FilePart,
    ImagePart,
    OtherPart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from app.rules.limits import Limits
from app.rules.text import Path, check_json, check_json_object, check_length, check_text

ADDRESS_SCHEMES = ("https:", "http:", "data:")
"""What the address of a picture, a recording or a file may start with: nothing that a browser
runs, such as `javascript:`, and nothing of the server's own machine, such as `file:`."""


_NOTHING: Mapping[str, object] = {}


def check_messages(messages: Sequence[NewMessage], limits: Limits) -> None:
    """Checks the messages of one mutation. Raises InvalidInput and LimitExceeded with a path."""
    if len(messages) > limits.messages_per_mutation:
        raise LimitExceeded(
            f"{len(messages)} messages at once, {limits.messages_per_mutation} are allowed.",
            ("messages",),
        )
    for index, message in enumerate(messages):
        check_message(message, ("messages", str(index)), limits)


def check_message(message: NewMessage, path: Path, limits: Limits) -> None:
    """Checks one message. Raises InvalidInput and LimitExceeded with a path below `path`."""
    check_parts(message.parts, (*path, "parts"), limits)
    if message.sender is not None:
        check_sender(message.sender, (*path, "sender"), limits)
    check_message_details(message.model, message.usage, message.metadata, path, limits)


def check_message_details(
    model: str | None, usage: object, metadata: object, path: Path, limits: Limits
) -> None:
    """Checks what a message carries beside its parts; what is None is not there."""
    if model is not None:
        check_length(model, limits.model_length, (*path, "model"))
    if usage is not None:
        check_json_object(usage, limits.metadata_bytes, (*path, "usage"), limits.json_depth)
    if metadata is not None and metadata != _NOTHING:
        check_json_object(metadata, limits.metadata_bytes, (*path, "metadata"), limits.json_depth)


def check_sender(sender: Sender, path: Path, limits: Limits) -> None:
    """Checks the name of a sender."""
    if sender.name is not None:
        check_length(sender.name, limits.name_length, (*path, "name"))


def check_parts(parts: Sequence[Part], path: Path, limits: Limits) -> None:
    """Checks the parts of one message: how many, how large, and each for itself.

    A message without parts is allowed: it is how one that is still being written begins.
    """
    if len(parts) > limits.parts_per_message:
        raise LimitExceeded(
            f"A message of {len(parts)} parts, {limits.parts_per_message} are allowed.", path
        )
    size = 0
    for index, part in enumerate(parts):
        if type(part) is TextPart and part.text.isascii() and "\x00" not in part.text:
            size += len(part.text)
        else:
            size += _check_part(part, (*path, str(index)), limits)
    if size > limits.message_bytes:
        raise LimitExceeded(f"A message of {size} bytes, {limits.message_bytes} are allowed.", path)


def _check_part(part: Part, path: Path, limits: Limits) -> int:
    """Returns the size of a part in bytes."""
    if isinstance(part, OtherPart):
        return _check_other_part(part, (*path, "other"), limits)
    input_name, names = _INPUT_NAMES[type(part)]
    path = (*path, input_name)
    size = 0
    for name, field_name in names:
        value = getattr(part, name)
        if isinstance(value, str):
            size += check_text(value, (*path, field_name))
    if isinstance(part, (ImagePart, AudioPart, FilePart)):
        if not part.url.lower().startswith(ADDRESS_SCHEMES):
            raise InvalidInput("An address starts with https:, http: or data:.", (*path, "url"))
        if isinstance(part, FilePart) and part.size is not None and not 0 <= part.size < 1 << 63:
            raise InvalidInput("A size is between 0 and 2^63 bytes.", (*path, "size"))
    elif isinstance(part, (ToolCallPart, ToolResultPart)):
        if not part.tool_call_id:
            raise InvalidInput("toolCallId can't be empty.", (*path, "toolCallId"))
        if isinstance(part, ToolCallPart) and not part.name:
            raise InvalidInput("The name of a tool can't be empty.", (*path, "name"))
    return size


def _check_other_part(part: OtherPart, path: Path, limits: Limits) -> int:
    if not part.kind:
        raise InvalidInput("kind can't be empty.", (*path, "kind"))
    if part.kind in KNOWN_KINDS:
        raise InvalidInput(
            f"{part.kind} is a kind with a field of its own: use that.", (*path, "kind")
        )
    check_length(part.kind, limits.name_length, (*path, "kind"))
    if "type" in part.data:
        raise InvalidInput("The field type holds the kind: leave it out.", (*path, "data", "type"))
    return check_json(part.data, (*path, "data"), limits.json_depth)


def _camel_case(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


_INPUT_NAMES: dict[type[Part], tuple[str, tuple[tuple[str, str], ...]]] = {
    kind: (name, tuple((field.name, _camel_case(field.name)) for field in fields(kind)))
    for kind, name in (
        (TextPart, "text"),
        (ReasoningPart, "reasoning"),
        (ImagePart, "image"),
        (AudioPart, "audio"),
        (FilePart, "file"),
        (ToolCallPart, "toolCall"),
        (ToolResultPart, "toolResult"),
    )
}
"""What a client calls each kind of part, and the fields of it."""
