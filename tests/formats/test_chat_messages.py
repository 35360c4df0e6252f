"""Each message of the chat format becomes typed parts, and nothing of it is lost."""

from __future__ import annotations

from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.formats.chat_messages import ChatReader
from app.formats.lines import Unreadable
from app.model.message import MessageRole, NewMessage, Sender
from app.model.parts import (
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

PIXEL = "data:image/png;base64,iVBORw0KGgo="


def read(**fields: Any) -> NewMessage:
    return ChatReader(UTC).read(fields)


def parts_of(content: object) -> tuple[Part, ...]:
    return read(role="user", content=content).parts


@pytest.mark.parametrize("role", list(MessageRole))
def test_every_role_of_the_model_apis_is_known(role: MessageRole) -> None:
    assert read(role=role.value, content="x").role is role


@pytest.mark.parametrize("content", ["", None, []])
def test_nothing_said_gives_no_part(content: object) -> None:
    assert parts_of(content) == ()


@pytest.mark.parametrize(
    "text", ['{"role": "user"}', '[{"type":"text","text":"x"}]', "null", " \n", "日本語 🎉"]
)
def test_text_is_kept_as_it_is_whatever_it_looks_like(text: str) -> None:
    assert parts_of(text) == (TextPart(text),)


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "text", "text": "hi"}, TextPart("hi")),
        (
            {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
            ImagePart(PIXEL, media_type="image/png", detail="low"),
        ),
        (
            {"type": "image_url", "image_url": "https://example.com/a.png"},
            ImagePart("https://example.com/a.png"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
            AudioPart("data:audio/mpeg;base64,AAAA", media_type="audio/mpeg"),
        ),
        (
            {
                "type": "file",
                "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="},
            },
            FilePart(
                "data:application/pdf;base64,AA==", file_name="a.pdf", media_type="application/pdf"
            ),
        ),
        (
            {"type": "refusal", "refusal": "I can't."},
            OtherPart("refusal", {"refusal": "I can't."}),
        ),
        (
            {"type": "file", "file": {"file_id": "file-1"}},
            OtherPart("openai_file", {"file": {"file_id": "file-1"}}),
        ),
        (
            {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}},
            OtherPart("image_url", {"image_url": {"url": "file:///etc/passwd"}}),
        ),
        ({"type": "text", "text": 5}, OtherPart("openai_text", {"text": 5})),
        ({"type": "hologram", "depth": 3}, OtherPart("hologram", {"depth": 3})),
        ({"depth": 3}, OtherPart("content", {"value": {"depth": 3}})),
        ("hi", TextPart("hi")),
        (5, OtherPart("content", {"value": 5})),
    ],
)
def test_a_block_becomes_its_part_or_is_kept_whole(block: object, part: Part) -> None:
    assert parts_of([block]) == (part,)


def test_fields_of_a_block_that_its_part_lacks_are_kept_beside_it() -> None:
    cached = {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}}
    message = read(role="user", content=["a", cached])
    assert message.parts == (TextPart("a"), TextPart("b"))
    assert message.metadata == {"content": {"1": {"cache_control": {"type": "ephemeral"}}}}


def test_tool_calls_keep_their_arguments_as_written_valid_json_or_not() -> None:
    message = read(
        role="assistant",
        content=None,
        tool_calls=[
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a" : 1 }'}},
            {"id": "c2", "type": "function", "function": {"name": "g", "arguments": '{"a": '}},
            {"id": "c3", "function": {"name": "h", "arguments": {"a": 1}}, "index": 2},
        ],
    )
    assert message.parts == (
        ToolCallPart("c1", "f", '{"a" : 1 }'),
        ToolCallPart("c2", "g", '{"a": '),
        ToolCallPart("c3", "h", '{"a":1}'),
    )
    assert message.metadata == {"tool_calls": {"2": {"index": 2}}}


def test_a_call_of_another_shape_is_kept_whole() -> None:
    call = {"type": "custom", "id": "c", "custom": {"name": "sql", "input": "select 1"}}
    message = read(role="assistant", content="", tool_calls=[call])
    assert message.parts == (
        OtherPart("custom", {"id": "c", "custom": {"name": "sql", "input": "select 1"}}),
    )


def test_a_tool_message_is_the_result_of_its_call() -> None:
    message = read(role="tool", tool_call_id="c1", name="f", content='{"ok": true}')
    assert message.parts == (ToolResultPart("c1", '{"ok": true}', "f"),)
    assert message.sender is None
    assert message.metadata == {}


def test_an_empty_result_and_a_failed_one_are_results() -> None:
    assert read(role="tool", tool_call_id="c", content="").parts == (ToolResultPart("c", ""),)
    failed = read(role="tool", tool_call_id="c", content="boom", is_error=True)
    assert failed.parts == (ToolResultPart("c", "boom", is_error=True),)


def test_a_result_of_several_blocks_keeps_how_it_was_divided() -> None:
    blocks = [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
        {"type": "image_url", "image_url": PIXEL},
    ]
    message = read(role="tool", tool_call_id="c", content=blocks)
    assert message.parts == (
        ToolResultPart("c", "a\nb"),
        ImagePart(PIXEL, media_type="image/png"),
    )
    assert message.metadata == {"content": blocks}


def test_calls_of_the_first_version_of_the_format_meet_their_results() -> None:
    chat = ChatReader(UTC)
    call = chat.read(
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    )
    result = chat.read({"role": "function", "name": "f", "content": "done"})
    assert call.parts == (ToolCallPart("call_0_0", "f", "{}"),)
    assert call.metadata == {"function_call": True}
    assert result.role is MessageRole.TOOL
    assert result.parts == (ToolResultPart("call_0_0", "done", "f"),)
    assert result.metadata == {"role": "function"}


def test_reasoning_refusal_sound_model_and_usage_have_their_places() -> None:
    message = read(
        role="assistant",
        content="Hello",
        reasoning_content="They greet.",
        refusal="Not that.",
        audio={"id": "a1", "data": "AAAA", "transcript": "Hello"},
        model="m-1",
        usage={"total_tokens": 3},
    )
    assert message.parts == (
        ReasoningPart("They greet."),
        TextPart("Hello"),
        OtherPart("refusal", {"refusal": "Not that."}),
        AudioPart("data:application/octet-stream;base64,AAAA", transcript="Hello"),
    )
    assert (message.model, message.usage) == ("m-1", {"total_tokens": 3})
    assert message.metadata == {"audio": {"id": "a1"}}


def test_sound_by_reference_is_kept_whole() -> None:
    message = read(role="assistant", content=None, audio={"id": "a1"})
    assert message.parts == (OtherPart("openai_audio", {"value": {"id": "a1"}}),)


def test_unknown_fields_are_kept_and_nulls_of_known_ones_are_not() -> None:
    message = read(
        role="assistant",
        content="x",
        name=None,
        tool_calls=None,
        refusal=None,
        audio=None,
        function_call=None,
        thinking_blocks=[{"thinking": "hm"}],
        seed=None,
    )
    assert message.metadata == {"thinking_blocks": [{"thinking": "hm"}], "seed": None}


def test_known_fields_of_a_wrong_type_are_kept_too() -> None:
    message = read(role="user", content="x", name=5, model=[], usage="much", tool_calls="none")
    assert message.metadata == {"name": 5, "model": [], "usage": "much", "tool_calls": "none"}
    assert (message.sender, message.model, message.usage) == (None, None, None)


def test_metadata_of_the_message_is_not_wrapped_unless_names_clash() -> None:
    assert read(role="user", content="x", metadata={"a": 1}, b=2).metadata == {"a": 1, "b": 2}
    clash = read(role="user", content="x", metadata={"b": 1}, b=2)
    assert clash.metadata == {"metadata": {"b": 1}, "b": 2}


def test_a_name_is_the_sender() -> None:
    assert read(role="user", content="x", name="Ada").sender == Sender(name="Ada")


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        ("2026-03-01T10:00:00+01:00", "2026-03-01T09:00:00.000000Z"),
        ("2026-07-01T10:00:00", "2026-07-01T08:00:00.000000Z"),
        ("2026-01-01T10:00:00", "2026-01-01T09:00:00.000000Z"),
        (0, "1970-01-01T00:00:00.000000Z"),
        (1772355600, "2026-03-01T09:00:00.000000Z"),
        (1772355600.5, "2026-03-01T09:00:00.500000Z"),
        (1772355600000, "2026-03-01T09:00:00.000000Z"),
    ],
)
def test_times_are_read_as_text_seconds_or_milliseconds(given: object, moment: str) -> None:
    chat = ChatReader(ZoneInfo("Europe/Berlin"))
    assert chat.read({"role": "user", "content": "x", "timestamp": given}).created_at == moment


@pytest.mark.parametrize("given", ["yesterday", True, {}, 10**17, -(10**17), "0000-01-01"])
def test_what_is_no_time_is_kept(given: object) -> None:
    message = read(role="user", content="x", timestamp=given)
    assert message.created_at is None
    assert message.metadata == {"timestamp": given}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("hi", "it is not a JSON object"),
        ({"content": "x"}, "it has no role"),
        ({"role": "narrator", "content": "x"}, "the role 'narrator' is unknown"),
        ({"role": 5, "content": "x"}, "the role 5 is unknown"),
        (
            {"role": "user", "content": "a\x00b"},
            "content: Text can't hold the character U+0000.",
        ),
        (
            {"role": "user", "x": {"y": "\ud800"}},
            "x.y: Text can't hold half of a surrogate pair.",
        ),
        (
            {"role": "user", "score": float("nan")},
            "score: A number has to be finite: NaN and infinity are no JSON.",
        ),
        ({"role": "user", "id": 1 << 64}, "id: A whole number has to fit into 64 bits."),
    ],
)
def test_what_is_no_message_is_refused_with_the_reason(value: object, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        ChatReader(UTC).read(value)
    assert str(caught.value) == reason
