"""A message's parts in the fields that chat formats have for them, where these say everything.

A line holds `content`, `tool_calls`, `tool_call_id` and `name` for whoever reads the file with
other programs (nanobot above all; the shape is that of the OpenAI chat API). `parts` stands beside
them only where reading those fields back would not give the very same parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.model.message import MessageRole
from app.model.parts import (
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    part_from_json,
    part_to_json,
    plain_text,
)


def parts_to_fields(role: MessageRole, parts: tuple[Part, ...]) -> dict[str, Any]:
    """Returns the fields of a message's parts, `content` first."""
    result = parts[0] if len(parts) == 1 else None
    if role is MessageRole.TOOL and isinstance(result, ToolResultPart):
        fields: dict[str, Any] = {"content": result.text, "tool_call_id": result.tool_call_id}
        if result.tool_name is not None:
            fields["name"] = result.tool_name
    else:
        fields = {"content": plain_text(parts)}
        calls = [part for part in parts if isinstance(part, ToolCallPart)]
        if calls:
            fields["tool_calls"] = [
                {
                    "id": call.tool_call_id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments_text},
                }
                for call in calls
            ]
    if _parts_of_chat(fields) != parts:
        fields["parts"] = [part_to_json(part) for part in parts]
    return fields


def parts_from_fields(fields: Mapping[str, Any]) -> tuple[Part, ...]:
    """Returns the parts that `parts_to_fields` gave these fields."""
    stored = fields.get("parts")
    if stored is not None:
        return tuple([part_from_json(part) for part in stored])
    return _parts_of_chat(fields)


def _parts_of_chat(fields: Mapping[str, Any]) -> tuple[Part, ...]:
    content: str = fields["content"]
    if "tool_call_id" in fields:
        return (ToolResultPart(fields["tool_call_id"], content, fields.get("name")),)
    parts: list[Part] = [TextPart(content)] if content else []
    for call in fields.get("tool_calls", ()):
        function = call["function"]
        parts.append(ToolCallPart(call["id"], function["name"], function["arguments"]))
    return tuple(parts)
