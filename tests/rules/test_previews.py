"""What a list of sessions shows of a message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.message import MessageRole
from app.model.parts import ImagePart, Part, ReasoningPart, TextPart
from app.rules.previews import PREVIEW_LENGTH, preview_of


def test_white_space_is_folded() -> None:
    assert preview_of(MessageRole.USER, [TextPart("  Where is\n\n\tmy  order? ")]) == (
        "Where is my order?"
    )


def test_the_first_words_are_shown_and_not_what_stands_before_them() -> None:
    parts: list[Part] = [
        ReasoningPart("hmm"),
        ImagePart("https://example.com/a.png"),
        TextPart(" "),
        TextPart("Look"),
        TextPart("again"),
    ]
    assert preview_of(MessageRole.ASSISTANT, parts) == "Look"


@pytest.mark.parametrize("role", [MessageRole.SYSTEM, MessageRole.DEVELOPER, MessageRole.TOOL])
def test_what_nobody_said_has_no_preview(role: MessageRole) -> None:
    assert preview_of(role, [TextPart("You are helpful.")]) is None


@pytest.mark.parametrize("parts", [[], [TextPart("")], [TextPart(" \n ")], [ReasoningPart("hm")]])
def test_no_words_give_no_preview(parts: list[TextPart | ReasoningPart]) -> None:
    assert preview_of(MessageRole.USER, parts) is None


def test_exactly_as_long_as_allowed_is_not_cut() -> None:
    assert preview_of(MessageRole.USER, [TextPart("x" * PREVIEW_LENGTH)]) == "x" * PREVIEW_LENGTH


def test_one_longer_than_allowed_is_cut_with_an_ellipsis() -> None:
    preview = preview_of(MessageRole.USER, [TextPart("x" * (PREVIEW_LENGTH + 1))])
    assert preview == "x" * (PREVIEW_LENGTH - 1) + "…"


@given(st.text())
def test_a_preview_is_the_folded_text_or_its_beginning(text: str) -> None:
    folded = " ".join(text.split())
    preview = preview_of(MessageRole.USER, [TextPart(text)])
    if not folded:
        assert preview is None
    elif len(folded) <= PREVIEW_LENGTH:
        assert preview == folded
    else:
        assert preview is not None
        assert preview.endswith("…")
        assert len(preview) <= PREVIEW_LENGTH
        assert folded.startswith(preview[:-1])
