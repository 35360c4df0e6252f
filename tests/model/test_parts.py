"""Parts keep what they are through their stored form, whatever their text looks like."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    decode_parts,
    encode_parts,
    part_from_json,
    part_to_json,
    plain_text,
)

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
maybe = st.none() | texts
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
).filter(lambda value: value not in (float("inf"), float("-inf")))
unknown_kinds = texts.filter(lambda kind: kind not in KNOWN_KINDS)
parts: st.SearchStrategy[Part] = st.one_of(
    st.builds(TextPart, texts),
    st.builds(ReasoningPart, texts, maybe),
    st.builds(ImagePart, texts, maybe, maybe, maybe),
    st.builds(AudioPart, texts, maybe, maybe),
    st.builds(FilePart, texts, maybe, maybe, st.none() | st.integers(0, 2**53)),
    st.builds(ToolCallPart, texts, texts, texts),
    st.builds(ToolResultPart, texts, texts, maybe, st.booleans()),
    st.builds(
        OtherPart,
        unknown_kinds,
        st.dictionaries(
            texts.filter(lambda name: name != "type"), st.integers(), max_size=3
        ).filter(lambda data: all(-(2**53) < value < 2**53 for value in data.values())),
    ),
)


@given(st.lists(parts))
def test_parts_come_back_as_they_were(given_parts: list[Part]) -> None:
    assert decode_parts(encode_parts(given_parts)) == tuple(given_parts)


@given(texts)
def test_text_stays_text_whatever_it_looks_like(text: str) -> None:
    for looks in (text, encode_parts([TextPart(text)]), f'{{"type": "image", "url": {text!r}}}'):
        assert decode_parts(encode_parts([TextPart(looks)])) == (TextPart(looks),)


fields = st.sampled_from(
    ["type", "text", "signature", "url", "media_type", "size", "tool_call_id", "is_error", "data"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
stored_parts = st.builds(
    lambda kind, rest: {"type": kind, **rest},
    st.sampled_from(sorted(KNOWN_KINDS)) | scalars,
    st.dictionaries(fields, scalars | st.lists(scalars, max_size=2), max_size=4),
)


@settings(max_examples=1_000)
@given(
    st.lists(st.builds(part_to_json, parts) | stored_parts | values, max_size=3),
    st.booleans(),
    st.integers(0, 200),
)
def test_parts_are_decoded_as_each_of_their_stored_forms_is(
    stored: list[Any], escaped: bool, cut: int
) -> None:
    text = json.dumps(stored, ensure_ascii=escaped)
    for given_text in (text, text[:cut], text.encode()[:-cut]):
        assert outcome(lambda t=given_text: decode_parts(t)) == outcome(
            lambda t=given_text: tuple([part_from_json(one) for one in orjson.loads(t)])
        )


def outcome(decode: Callable[[], tuple[Part, ...]]) -> object:
    """Returns what is decoded, or the kind of error; 1, 1.0 and True are told apart."""
    try:
        return repr(decode())
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        return type(error)


@given(unknown_kinds, st.dictionaries(texts.filter(lambda name: name != "type"), values))
def test_an_unknown_kind_is_kept_whole(kind: str, data: dict[str, object]) -> None:
    stored = {"type": kind, **data}
    part = part_from_json(stored)
    assert part == OtherPart(kind, data)
    assert part_to_json(part) == stored


@pytest.mark.parametrize("kind", sorted(KNOWN_KINDS))
def test_a_known_kind_with_a_field_too_many_is_kept_whole(kind: str) -> None:
    stored = {"type": kind, "text": "a", "invented_later": 1}
    part = part_from_json(stored)
    assert isinstance(part, OtherPart)
    assert part_to_json(part) == stored


def test_fields_that_hold_their_default_are_left_out() -> None:
    stored = orjson.loads(encode_parts([ImagePart("u"), ToolResultPart("c", "ok")]))
    assert stored == [
        {"type": "image", "url": "u"},
        {"type": "tool_result", "tool_call_id": "c", "text": "ok"},
    ]


def test_the_words_of_a_message_are_its_text_parts_alone() -> None:
    said: list[Part] = [
        TextPart("one"),
        ReasoningPart("thought"),
        ToolCallPart("c", "f", "{}"),
        TextPart("two"),
    ]
    assert plain_text(said) == "one\ntwo"
    assert plain_text([]) == ""
