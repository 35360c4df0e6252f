"""One message in the OpenAI chat format, as chat logs of many programs have it.

Source of the shapes: OpenAI API reference, "Create chat completion", `messages`; with
`function_call` and the role `function` of its first version, and `reasoning_content` as several
providers add it. Every field that a message of ours does not have goes into its metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

import orjson

from app.formats.content_blocks import data_address, other_part, read_content
from app.formats.lines import Unreadable, check_value
from app.formats.times import take_time
from app.model.message import MessageRole, NewMessage, Sender
from app.model.parts import (
    AudioPart,
    OtherPart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

_ROLES = {role.value: role for role in MessageRole} | {"function": MessageRole.TOOL}
_TIMES = ("timestamp", "created_at")


class ChatReader:
    """Reads the messages of one conversation, in order.

    It remembers the tool calls without an answer: a result that does not say which call it
    answers (the first version of the format had no ids) belongs to the oldest of its name.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._index = -1
        self._open: dict[str, str] = {}

    def read(self, value: object) -> NewMessage:
        """Returns the message of a JSON value. Raises `Unreadable`, saying why it is none.

        Times without an offset are read in the reader's zone.
        """
        self._index += 1
        if not isinstance(value, dict):
            raise Unreadable("it is not a JSON object")
        check_value(value)
        fields = dict(value)
        role = self._role(fields)
        created_at = take_time(fields, _TIMES, self._zone)
        model = _take_text(fields, "model")
        usage = fields.pop("usage") if isinstance(fields.get("usage"), dict) else None
        name = _take_text(fields, "name")
        parts: list[Part] = []
        for field in ("reasoning_content", "reasoning"):
            if reasoning := _take_text(fields, field):
                parts.append(ReasoningPart(reasoning))
        if role is MessageRole.TOOL:
            parts += self._result(fields, name)
            name = None
        else:
            parts += _content(fields, len(parts))
        if refusal := _take_text(fields, "refusal"):
            parts.append(OtherPart("refusal", {"refusal": refusal}))
        parts += _audio(fields)
        parts += self._calls(fields)
        return NewMessage(
            role=role,
            parts=tuple(parts),
            sender=Sender(name=name) if name else None,
            model=model,
            usage=usage,
            metadata=_metadata(fields),
            created_at=created_at,
        )

    def _role(self, fields: dict[str, Any]) -> MessageRole:
        given = fields.pop("role", None)
        role = _ROLES.get(given) if isinstance(given, str) else None
        if role is None:
            raise Unreadable(
                "it has no role" if given is None else f"the role {given!r} is unknown"
            )
        if given == "function":
            fields["role"] = given
        return role

    def _calls(self, fields: dict[str, Any]) -> list[Part]:
        parts: list[Part] = []
        calls = fields.get("tool_calls")
        if calls is None:
            fields.pop("tool_calls", None)
        elif isinstance(calls, list) and all(isinstance(call, dict) for call in calls):
            del fields["tool_calls"]
            surplus: dict[str, Any] = {}
            for place, call in enumerate(calls):
                part, rest = self._call(call, place)
                if rest:
                    surplus[str(place)] = rest
                parts.append(part)
            if surplus:
                fields["tool_calls"] = surplus
        legacy = fields.get("function_call")
        if legacy is None:
            fields.pop("function_call", None)
        elif isinstance(legacy, dict):
            part, rest = self._call({"type": "function", "function": legacy}, len(parts))
            if isinstance(part, ToolCallPart):
                fields["function_call"] = rest or True
                parts.append(part)
        return parts

    def _call(self, call: Mapping[str, Any], place: int) -> tuple[Part, dict[str, Any]]:
        function = call.get("function")
        if call.get("type", "function") != "function" or not isinstance(function, dict):
            return other_part(call, "openai_tool_call"), {}
        name, arguments, call_id = function.get("name"), function.get("arguments"), call.get("id")
        if not isinstance(name, str) or not name:
            return other_part(call, "openai_tool_call"), {}
        rest = {field: value for field, value in call.items() if field not in {"type", "function"}}
        if isinstance(call_id, str) and call_id:
            del rest["id"]
        else:
            call_id = f"call_{self._index}_{place}"
        extra = {
            field: value for field, value in function.items() if field not in {"name", "arguments"}
        }
        if extra:
            rest["function"] = extra
        self._open[call_id] = name
        return ToolCallPart(call_id, name, _arguments_text(arguments)), rest

    def _result(self, fields: dict[str, Any], name: str | None) -> list[Part]:
        content = fields.pop("content", None)
        parts, surplus = read_content(content)
        texts = [part for part in parts if isinstance(part, TextPart)]
        if len(texts) > 1 or surplus:
            # One result has one text, so how it was divided is kept beside it.
            fields["content"] = content
        call_id = _take_text(fields, "tool_call_id") or self._oldest_call(name)
        is_error = fields.pop("is_error") if isinstance(fields.get("is_error"), bool) else False
        self._open.pop(call_id, None)
        text = "\n".join([part.text for part in texts])
        result = ToolResultPart(call_id, text, name or None, is_error)
        return [result, *[part for part in parts if not isinstance(part, TextPart)]]

    def _oldest_call(self, name: str | None) -> str:
        for call_id, called in self._open.items():
            if name is None or called == name:
                return call_id
        return f"call_{self._index}"


def _content(fields: dict[str, Any], before: int) -> list[Part]:
    parts, surplus = read_content(fields.pop("content", None))
    if surplus:
        fields["content"] = {str(int(index) + before): beside for index, beside in surplus.items()}
    return parts


def _audio(fields: dict[str, Any]) -> list[Part]:
    audio = fields.get("audio")
    if audio is None:
        fields.pop("audio", None)
        return []
    if not isinstance(audio, dict):
        return []  # stays in the fields, for the metadata
    del fields["audio"]
    data, transcript = audio.get("data"), audio.get("transcript")
    if not isinstance(data, str) or not data or not isinstance(transcript, str | None):
        return [OtherPart("openai_audio", {"value": audio})]
    rest = {name: value for name, value in audio.items() if name not in {"data", "transcript"}}
    if rest:
        fields["audio"] = rest
    # The format of an answer's recording stands in the request, which a log does not have.
    return [AudioPart(data_address("application/octet-stream", data), None, transcript)]


def _arguments_text(arguments: object) -> str:
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else orjson.dumps(arguments).decode()


def _take_text(fields: dict[str, Any], name: str) -> str | None:
    """Takes a text or a null out of the fields; anything else stays, for the metadata."""
    value = fields.get(name)
    if value is None:
        fields.pop(name, None)
        return None
    if not isinstance(value, str):
        return None
    del fields[name]
    return value


def _metadata(fields: dict[str, Any]) -> dict[str, Any]:
    """Returns what is left of a message; its own `metadata` is not wrapped where it can be."""
    given = fields.get("metadata")
    if isinstance(given, dict) and not given.keys() & fields.keys():
        return {**given, **{name: value for name, value in fields.items() if name != "metadata"}}
    return fields
