"""Messages as a client gives them, and the model's messages made from them."""

from __future__ import annotations

from typing import Any

import strawberry

from app.model import message as messages
from app.model import parts as model
from app.model.errors import InvalidInput
from app.model.identifiers import AgentId
from app.model.message import MessageRole, MessageStatus
from app.model.timestamps import Timestamp
from app.schema.global_id import decode_agent_id
from app.schema.scalars import JSON, BigInt

_ADDRESS = "Where it is: an https, http or data URL."


@strawberry.input(description="Words.")
class TextPartInput:
    """Words."""

    text: str = strawberry.field(description="The words.")


@strawberry.input(description="What a model thought before it answered.")
class ReasoningPartInput:
    """Thoughts."""

    text: str = strawberry.field(description="The thoughts.")
    signature: str | None = strawberry.field(
        default=None, description="The provider's proof of the thoughts."
    )


@strawberry.input(description="A picture.")
class ImagePartInput:
    """A picture."""

    url: str = strawberry.field(description=_ADDRESS)
    media_type: str | None = strawberry.field(default=None, description="Such as `image/png`.")
    detail: str | None = strawberry.field(
        default=None, description="How closely a model is to look, in the provider's words."
    )
    alt: str | None = strawberry.field(default=None, description="What it shows.")


@strawberry.input(description="A recording.")
class AudioPartInput:
    """A recording."""

    url: str = strawberry.field(description=_ADDRESS)
    media_type: str | None = strawberry.field(default=None, description="Such as `audio/wav`.")
    transcript: str | None = strawberry.field(default=None, description="What is said in it.")


@strawberry.input(description="A file.")
class FilePartInput:
    """A file."""

    url: str = strawberry.field(description=_ADDRESS)
    file_name: str | None = strawberry.field(default=None, description="The file's name.")
    media_type: str | None = strawberry.field(
        default=None, description="Such as `application/pdf`."
    )
    size: BigInt | None = strawberry.field(default=None, description="The size in bytes.")


@strawberry.input(description="A call of a tool that a model asked for.")
class ToolCallPartInput:
    """A call of a tool."""

    tool_call_id: str = strawberry.field(description="The call's id, as the model gave it.")
    name: str = strawberry.field(description="The tool's name.")
    arguments_text: str = strawberry.field(
        description="The arguments exactly as the model wrote them, valid JSON or not."
    )


@strawberry.input(description="What a tool answered.")
class ToolResultPartInput:
    """The answer of a tool."""

    tool_call_id: str = strawberry.field(description="The id of the call that this answers.")
    text: str = strawberry.field(description="The answer.")
    tool_name: str | None = strawberry.field(default=None, description="The tool's name.")
    is_error: bool = strawberry.field(default=False, description="Whether the call failed.")


@strawberry.input(description="A part of a kind that has no field here. It is kept as it is.")
class OtherPartInput:
    """Anything else."""

    kind: str = strawberry.field(description="What you call this kind.")
    data: JSON = strawberry.field(description="A JSON object, without a field `type`.")


@strawberry.input(one_of=True, description="One part of a message: give exactly one kind.")
class MessagePartInput:
    """One part."""

    text: TextPartInput | None = strawberry.field(default=strawberry.UNSET, description="Words.")
    reasoning: ReasoningPartInput | None = strawberry.field(
        default=strawberry.UNSET, description="What a model thought."
    )
    image: ImagePartInput | None = strawberry.field(
        default=strawberry.UNSET, description="A picture."
    )
    audio: AudioPartInput | None = strawberry.field(
        default=strawberry.UNSET, description="A recording."
    )
    file: FilePartInput | None = strawberry.field(default=strawberry.UNSET, description="A file.")
    tool_call: ToolCallPartInput | None = strawberry.field(
        default=strawberry.UNSET, description="A call of a tool."
    )
    tool_result: ToolResultPartInput | None = strawberry.field(
        default=strawberry.UNSET, description="The answer of a tool."
    )
    other: OtherPartInput | None = strawberry.field(
        default=strawberry.UNSET, description="Anything else."
    )


@strawberry.input(description="Who sent a message, where the role alone does not tell.")
class SenderInput:
    """A sender."""

    name: str | None = strawberry.field(default=None, description="The name to show.")
    agent_id: strawberry.ID | None = strawberry.field(default=None, description="The agent.")


@strawberry.input(description="A message to add.")
class MessageInput:
    """A message."""

    role: MessageRole = strawberry.field(description="Who speaks.")
    parts: list[MessagePartInput] = strawberry.field(
        description="What it holds, in order. May be empty while it is still being written."
    )
    status: MessageStatus = strawberry.field(
        default=MessageStatus.COMPLETE, description="How far it has come."
    )
    sender: SenderInput | None = strawberry.field(
        default=None, description="Who sent it, where the role alone does not tell."
    )
    model: str | None = strawberry.field(default=None, description="The model that wrote it.")
    usage: JSON | None = strawberry.field(
        default=None, description="What it cost: a JSON object, in the provider's words."
    )
    metadata: JSON | None = strawberry.field(
        default=None, description="Whatever else to keep with it: a JSON object."
    )
    created_at: Timestamp | None = strawberry.field(
        default=None, description="When it was said, if not now."
    )


def to_parts(given: list[MessagePartInput], path: tuple[str, ...]) -> tuple[model.Part, ...]:
    """Returns the model's parts. InvalidInput for data that is no JSON object."""
    return tuple([_to_part(part, path, index) for index, part in enumerate(given)])


def to_messages(
    given: list[MessageInput], path: tuple[str, ...] = ("messages",)
) -> tuple[messages.NewMessage, ...]:
    """Returns the model's messages. InvalidInput for what is of the wrong kind."""
    return tuple([_to_message(message, (*path, str(index))) for index, message in enumerate(given)])


def to_object(given: Any, path: tuple[str, ...]) -> dict[str, Any] | None:
    """Returns a JSON object; None for null. InvalidInput for any other JSON."""
    if given is None or isinstance(given, dict):
        return given
    raise InvalidInput(f"{path[-1]} has to be a JSON object.", path)


def _to_message(given: MessageInput, path: tuple[str, ...]) -> messages.NewMessage:
    metadata = None if given.metadata is None else to_object(given.metadata, (*path, "metadata"))
    return messages.NewMessage(
        role=given.role,
        parts=to_parts(given.parts, (*path, "parts")),
        status=given.status,
        sender=None if given.sender is None else _to_sender(given.sender, (*path, "sender")),
        model=given.model,
        usage=None if given.usage is None else to_object(given.usage, (*path, "usage")),
        metadata=metadata or {},
        created_at=given.created_at,
    )


def _to_sender(given: SenderInput, path: tuple[str, ...]) -> messages.Sender:
    agent_id: AgentId | None = None
    if given.agent_id is not None:
        agent_id = decode_agent_id(given.agent_id, (*path, "agentId"))
    return messages.Sender(name=given.name, agent_id=agent_id)


def _to_part(given: MessagePartInput, path: tuple[str, ...], index: int) -> model.Part:
    """Returns the one part that is given; that it is one is what `@oneOf` sees to."""
    if given.text:
        return model.TextPart(given.text.text)
    if given.reasoning:
        return model.ReasoningPart(given.reasoning.text, given.reasoning.signature)
    if image := given.image:
        return model.ImagePart(image.url, image.media_type, image.detail, image.alt)
    if audio := given.audio:
        return model.AudioPart(audio.url, audio.media_type, audio.transcript)
    if file := given.file:
        return model.FilePart(file.url, file.file_name, file.media_type, file.size)
    if call := given.tool_call:
        return model.ToolCallPart(call.tool_call_id, call.name, call.arguments_text)
    if result := given.tool_result:
        return model.ToolResultPart(
            result.tool_call_id, result.text, result.tool_name, result.is_error
        )
    if other := given.other:
        data = to_object(other.data, (*path, str(index), "other", "data"))
        return model.OtherPart(other.kind, data or {})
    raise InvalidInput("Give exactly one kind of part.", (*path, str(index)))
