"""What a list of hits shows of a message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.identifiers import Sequence, SessionId
from app.model.message import Message, MessageRole, MessageStatus
from app.model.parts import Part, TextPart, ToolCallPart
from app.model.search_query import matches, parse_query
from app.model.search_text import normalize
from app.model.timestamps import Timestamp
from app.rules.snippets import SNIPPET_LENGTH, Snippet, snippet_of


def says(*parts: str | Part) -> Message:
    return Message(
        session_id=SessionId("s"),
        sequence=Sequence(1),
        role=MessageRole.USER,
        status=MessageStatus.COMPLETE,
        parts=tuple(TextPart(part) if isinstance(part, str) else part for part in parts),
        preview=None,
        sender=None,
        model=None,
        usage=None,
        metadata={},
        created_at=Timestamp("2026-03-01T00:00:00.000000Z"),
        edited_at=None,
        archived_at=None,
    )


def marked(snippet: Snippet) -> str:
    """Returns a snippet with its highlights in brackets, counted as JavaScript counts."""
    units = snippet.text.encode("utf-16-le")
    text, position = b"", 0
    for highlight in snippet.highlights:
        start, end = 2 * highlight.start, 2 * (highlight.start + highlight.length)
        assert position <= start < end <= len(units)
        text += units[position:start] + "[".encode("utf-16-le")
        text += units[start:end] + "]".encode("utf-16-le")
        position = end
    return (text + units[position:]).decode("utf-16-le")


@pytest.mark.parametrize(
    ("query", "text", "shown"),
    [
        ("cursor", "A Cursor is opaque", "A [Cursor] is opaque"),
        ("cursor opaque", "A cursor is opaque", "A [cursor] is [opaque]"),
        ("go", "good to go, Go", "good to [go], [Go]"),
        ("one two", "  one\n\n\ttwo ", "[one] [two]"),
        ('"one two"', "zero one\n\ttwo", "zero [one two]"),
        ("strasse", "die Straße hier", "die [Straße] hier"),
        ("résumé", "My Re\u0301sume\u0301.", "My [Re\u0301sume\u0301]."),
        ("fine", "so ﬁne", "so [ﬁne]"),
        ("世 界", "你好世界", "你好[世界]"),
        ("界", "🎉 世界 🎉", "🎉 世[界] 🎉"),
        ("🎉", "a 🎉🎉 b", "a [🎉🎉] b"),
        ("👍", "👍🏽!", "[👍]🏽!"),
        ("aa", "aa aaa", "[aa] aaa"),
        ("aaa", "aaaa aaaaaaa", "[aaaa] [aaaaaaa]"),
        ("nothing", "some words", "some words"),
        ("nothing", "", ""),
    ],
)
def test_what_matches_is_highlighted_as_it_was_written(query: str, text: str, shown: str) -> None:
    assert marked(snippet_of(parse_query(query), says(text))) == shown


def test_the_words_around_the_first_match_are_shown() -> None:
    words = " ".join(f"word{number}" for number in range(100))
    snippet = snippet_of(parse_query("word50 word52"), says(words))
    assert marked(snippet) == (
        "…word45 word46 word47 word48 word49 [word50] word51 [word52] word53 word54 word55 word56 "
        "word57 word58 word59 word60 word61 word62 word63 word64 word65 word66…"
    )
    assert marked(snippet_of(parse_query("word0"), says(words))).startswith("[word0] word1")
    end = marked(snippet_of(parse_query("word99"), says(words)))
    assert end.startswith("…word")
    assert end.endswith(" [word99]")


def test_a_text_without_spaces_is_cut_between_characters() -> None:
    text = "前" * 300 + "目标" + "e\u0301" * 300
    snippet = marked(snippet_of(parse_query("目标"), says(text)))
    assert snippet == "…" + "前" * 40 + "[目标]" + "e\u0301" * 59 + "…"


def test_parts_follow_each_other() -> None:
    message = says("said", ToolCallPart("id", "lookup", '{"q": 1}'))
    assert marked(snippet_of(parse_query("lookup"), message)) == 'said [lookup] {"q": 1}'


@given(
    text=st.text(max_size=40) | st.text(st.sampled_from("ab é字\u0301🎉\n"), max_size=400),
    at=st.integers(0, 400),
    length=st.integers(1, 9),
)
def test_a_match_is_always_shown_and_highlighted(text: str, at: int, length: int) -> None:
    query = parse_query(text[at : at + length].replace('"', ""))
    if not query.terms or not matches(query, normalize(text)):
        return
    snippet = snippet_of(query, says(text))
    assert snippet.highlights
    assert len(snippet.text) <= SNIPPET_LENGTH + 2
    for part in marked(snippet).split("[")[1:] if "[" not in text and "]" not in text else ():
        shown = normalize(part.split("]")[0])
        assert any(shown in term.text or term.text in shown for term in query.terms), part
