"""The parts of a message. An interface and no union, so that a new kind breaks no client."""

from __future__ import annotations

from typing import Any, cast

import orjson
import strawberry

from app.execution.hints import PLACE_IN_LIST
from app.model import parts as model
from app.schema.context import Info
from app.schema.field import field
from app.schema.scalars import JSON, BigInt

DEEPEST_ARGUMENTS = 100
"""How deep parsed arguments are nested at most. What a model writes is not bounded by anything,
and the encoder of responses gives up at 254 levels, which a response's own levels count towards."""


@strawberry.interface(
    description=(
        "One part of a message. Select `__typename` and the fields of the kinds you show; new "
        "kinds may come, and what you don't select does not concern you."
    )
)
class MessagePart:
    """The `MessagePart` interface. The objects behind it are the model's own."""

    @field(description="The part's place in its message, from 0.", metadata=PLACE_IN_LIST)
    @staticmethod
    def index(info: Info) -> int:
        """Returns the place in the list that is being answered: parts don't know their own."""
        in_list = info.path.prev
        return cast("int", in_list.key) if in_list is not None else 0

    @classmethod
    def resolve_type(cls, part: object, *_: Any) -> str:
        """Returns the name of the GraphQL type of a part: they are called alike."""
        return type(part).__name__


@strawberry.type(description="Words.")
class TextPart(MessagePart):
    """Words."""

    text: str = strawberry.field(description="The words, as they were written.")

    @classmethod
    def is_type_of(cls, part: object, _info: Any) -> bool:
        """Answers whether this is a text."""
        return isinstance(part, model.TextPart)


@strawberry.type(description="What a model thought before it answered.")
class ReasoningPart(MessagePart):
    """What a model thought."""

    text: str = strawberry.field(description="The thoughts, as far as the provider shows them.")
    signature: str | None = strawberry.field(
        description="The provider's proof of the thoughts, to be handed back to it."
    )

    @classmethod
    def is_type_of(cls, part: object, _info: Any) -> bool:
        """Answers whether these are thoughts."""
        return isinstance(part, model.ReasoningPart)


@strawberry.type(description="A picture.")
class ImagePart(MessagePart):
    """A picture."""

    url: str = strawberry.field(description="Where it is: an https, http or data URL.")
    media_type: str | None = strawberry.field(description="Such as `image/png`.")
    detail: str | None = strawberry.field(
        description="How closely a model was to look, in the provider's words."
    )
    alt: str | None = strawberry.field(description="What it shows, for those who can't see it.")

    @classmethod
    def is_type_of(cls, part: object, _info: Any) -> bool:
        """Answers whether this is a picture."""
        return isinstance(part, model.ImagePart)


@strawberry.type(description="A recording.")
class AudioPart(MessagePart):
    """A recording."""

    url: str = strawberry.field(description="Where it is: an https, http or data URL.")
    media_type: str | None = strawberry.field(description="Such as `audio/wav`.")
    transcript: str | None = strawberry.field(description="What is said in it.")

    @classmethod
    def is_type_of(cls, part: object, _info: Any) -> bool:
        """Answers whether this is a recording."""
        return isinstance(part, model.AudioPart)


@strawberry.type(description="A file.")
class FilePart(MessagePart):
    """A file."""

    url: str = strawberry.field(description="Where it is: an https, http or data URL.")
    file_name: str | None = strawberry.field(description="The file's name.")
    media_type: str | None = strawberry.field(description="Such as `application/pdf`.")
    size: BigInt | None = strawberry.field(description="The size in bytes.")

    @classmethod
    def is_type_of(cls, part: object, _info: Any) -> bool:
        """Answers whether this is a file."""
        return isinstance(part, model.FilePart)


@strawberry.type(description="A call of a tool that a model asked for.")
class ToolCallPart(MessagePart):
    """A call of a tool."""

    tool_call_id: str = strawberry.field(
        description="The call's id; the `ToolResultPart` that answers it has the same."
    )
    name: str = strawberry.field(description="The tool's name.")
    arguments_text: str = strawberry.field(
        description="The arguments exactly as the model wrote them, valid JSON or not."
    )

    @field(
        graphql_type=JSON | None,
        description=(
            "The arguments as JSON. Null while what the model wrote is not valid JSON, as it is "
            "while it is still being written, or nests more than 100 levels."
        ),
    )
    @staticmethod
    def arguments(part: strawberry.Parent[model.ToolCallPart]) -> object:
        """Returns the arguments parsed, None where they can't be."""
        try:
            arguments = orjson.loads(part.arguments_text)
        except orjson.JSONDecodeError:
            return None
        return arguments if _nests_at_most(arguments, DEEPEST_ARGUMENTS) else None

    @classmethod
    def is_type_of(cls, part: object, _info: Any) -> bool:
        """Answers whether this is a call."""
        return isinstance(part, model.ToolCallPart)


@strawberry.type(description="What a tool answered.")
class ToolResultPart(MessagePart):
    """The answer of a tool."""

    tool_call_id: str = strawberry.field(
        description="The id of the call that this answers: that of a `ToolCallPart`."
    )
    text: str = strawberry.field(description="The answer.")
    tool_name: str | None = strawberry.field(description="The tool's name.")
    is_error: bool = strawberry.field(description="Whether the call failed.")

    @classmethod
    def is_type_of(cls, part: object, _info: Any) -> bool:
        """Answers whether this is an answer."""
        return isinstance(part, model.ToolResultPart)


@strawberry.type(description="A part of a kind that this server does not know, kept as it came.")
class OtherPart(MessagePart):
    """Anything else."""

    kind: str = strawberry.field(description="What its sender calls this kind.")
    data: JSON = strawberry.field(description="Everything that it holds.")

    @classmethod
    def is_type_of(cls, part: object, _info: Any) -> bool:
        """Answers whether this is a part of an unknown kind."""
        return isinstance(part, model.OtherPart)


PART_TYPES = (
    TextPart,
    ReasoningPart,
    ImagePart,
    AudioPart,
    FilePart,
    ToolCallPart,
    ToolResultPart,
    OtherPart,
)
"""The kinds of parts, for the schema: nothing but the interface leads to them."""


def _nests_at_most(value: object, levels: int) -> bool:
    """Answers whether JSON is at most so many objects and lists deep."""
    if isinstance(value, dict):
        return levels > 0 and all(_nests_at_most(item, levels - 1) for item in value.values())
    if isinstance(value, list):
        return levels > 0 and all(_nests_at_most(item, levels - 1) for item in value)
    return True
