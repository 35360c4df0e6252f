"""What matches a query, and that no index by grams can miss it."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.parts import (
    AudioPart,
    FilePart,
    ImagePart,
    OtherPart,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from app.model.search_query import (
    matches,
    parse_query,
    query_grams,
    relevance,
)
from app.model.search_text import (
    SEARCHED_LENGTH,
    index_grams,
    normalize,
    searchable_text,
    short_grams,
    trigrams,
)
from tests.conformance.reference_search import has_every_term

MIXED = st.text(
    st.sampled_from("abcXYZ01 \t\n.,:;=>#_\"'éß字語カがｶﾞ한글ㄱㅏ🎉👍🏽\u200d\ufe0f\u0301ﬁİ½ไท"),
    max_size=30,
)
TEXTS = MIXED | st.text(max_size=30)


def found(query: str, text: str) -> bool:
    return matches(parse_query(query), normalize(text))


def test_what_is_searched_is_what_was_said_called_and_answered() -> None:
    parts = (
        TextPart("said"),
        ReasoningPart("thought"),
        ToolCallPart("call-id", "lookup", '{"q": "asked"}'),
        ToolResultPart("call-id", "answered", tool_name="lookup"),
        AudioPart("https://host/sound", transcript="heard"),
        AudioPart("https://host/sound"),
        ImagePart("https://host/picture", alt="seen"),
        FilePart("https://host/file", file_name="report.pdf"),
        OtherPart("later", {"text": "unknown"}),
    )
    text = 'said\nlookup\n{"q": "asked"}\nanswered\nheard\nseen\nreport.pdf'
    assert searchable_text(parts) == text


def test_the_first_characters_of_a_long_message_are_searched() -> None:
    assert SEARCHED_LENGTH == 65_536
    assert searchable_text([TextPart("a" * 65_535), TextPart("bc")]) == "a" * 65_535 + "\n"
    assert searchable_text([TextPart("x" * 65_534), TextPart("yz")]).endswith("x\ny")


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("  One\n\n\ttwo\u00a0 ", "one two"),
        ("STRASSE Straße", "strasse strasse"),
        ("ﬁne ＡＢＣ ｶﾞ ①", "fine abc ガ 1"),
        ("e\u0301", "é"),
        ("ĳ ǆ ΣΊΣΥΦΟΣ", "ij dž σίσυφοσ"),
        ("soft\u00adhyphen zero\u200bwidth \ufeff", "softhyphen zerowidth"),
        ("❤️ 👩‍💻", "❤ 👩💻"),
        ("", ""),
    ],
)
def test_case_forms_and_white_space_make_no_difference(text: str, normal: str) -> None:
    assert normalize(text) == normal


@given(TEXTS)
def test_a_normal_form_is_its_own(text: str) -> None:
    assert normalize(normalize(text)) == normalize(text)


def test_the_normal_form_of_every_character_is_its_own() -> None:
    unstable = [
        f"U+{number:04X}"
        for number in range(sys.maxunicode + 1)
        if unicodedata.category(chr(number)) not in ("Cs", "Cn")
        and normalize(normalize(chr(number))) != normalize(chr(number))
    ]
    assert not unstable


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("  GraphQL   cursor ", ["graphql", "cursor"]),
        ('"page by  page" now', ["page by page", "now"]),
        ('print("x")', ['print("x")']),
        ('say "hello', ["say", '"hello']),
        ('"a b"c', ['"a', 'b"c']),
        ('"" " "', ['""']),
        ("same SAME", ["same"]),
        ("…", ["..."]),
        ("\u200b \u3000", []),
    ],
)
def test_a_query_is_parted_at_white_space_and_quotation_marks(text: str, terms: list[str]) -> None:
    assert [term.text for term in parse_query(text).terms] == terms


def test_short_terms_are_whole_words_unless_they_are_cjk() -> None:
    terms = parse_query("go gop 字 x字 :: é한").terms
    assert [term.text for term in terms if term.whole_word] == ["go", "::"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("cursor", "Cursors are opaque"),
        ("rso", "cursor"),
        ("CURSOR page", "the page behind the cursor"),
        ('"the page"', "of the\n  page"),
        ("go", "Go is fine"),
        ("go", "用go语言写"),
        ("id", "message_id = 1"),
        ("c#", "C# and F#"),
        ("é", "vitamin É!"),
        ("::", "std::vector"),
        ("=>", "(a)=>b"),
        ("a + b", "a + b"),
        ("界", "世界你好"),
        ("世界", "你好，世界！"),
        ("ｶﾞ", "ガギ"),
        ("글", "한글"),
        ("🎉", "done 🎉🎉"),
        ("👍🏽", "ok👍🏽"),
        ("。", "好。"),
        ("user@example.org", "mail to <USER@Example.org>"),
        ('{"q": "x"}', '{"q":   "x"}'),
    ],
)
def test_a_text_that_has_every_term_matches(query: str, text: str) -> None:
    assert found(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("go", "good"),
        ("go", "ago"),
        ("go", "g o"),
        ("id", "idea said"),
        ("c#", "abc#"),
        ("é", "été"),
        ("cursor page", "cursor"),
        ('"page the"', "the page"),
        ("世 界", "世"),
        ("界世", "世界"),
        ("resume", "résumé"),
        ("::", ": :"),
        ("🎉", "🎊"),
    ],
)
def test_a_text_without_one_of_the_terms_does_not_match(query: str, text: str) -> None:
    assert not found(query, text)


@given(query=MIXED, text=MIXED)
def test_matching_is_what_it_is_said_to_be(query: str, text: str) -> None:
    parsed = parse_query(query)
    assert matches(parsed, normalize(text)) == has_every_term(parsed, normalize(text))


@given(before=TEXTS, term=TEXTS, after=TEXTS)
def test_the_index_of_a_matching_text_has_every_gram_of_the_query(
    before: str, term: str, after: str
) -> None:
    query, normal = parse_query(term), normalize(before + term + after)
    if matches(query, normal):
        assert query_grams(query) <= index_grams(normal)


@given(TEXTS)
def test_whoever_looks_for_a_text_finds_it(text: str) -> None:
    query = parse_query(text.replace('"', ""))
    assert matches(query, normalize(text.replace('"', "")))


@given(TEXTS)
def test_grams_are_told_apart_by_their_length(text: str) -> None:
    normal = normalize(text)
    assert all(len(gram) == 3 for gram in trigrams(normal))
    assert all(len(gram) in (1, 2) and " " not in gram for gram in short_grams(normal))
    assert index_grams(normal) == trigrams(normal) | short_grams(normal)


@pytest.mark.parametrize(
    ("text", "grams"),
    [
        ("go to a shop", {"go", "to", "a"}),
        ("a->b::c;", {"a", "b", "c", "->", "::"}),
        ("c, d.", {"c", "d"}),
        ("用go写", {"用", "go", "写"}),
        ("世界 好", {"世", "界", "世界", "好"}),
        ("ok 🎉🎉", {"ok", "🎉", "🎉🎉"}),
        ("él voilà", {"él"}),
    ],
)
def test_short_grams_are_short_words_cjk_and_symbols(text: str, grams: set[str]) -> None:
    assert short_grams(text) == grams


@pytest.mark.parametrize("query", ["?", ". ,", "", " "])
def test_single_punctuation_cannot_be_looked_up(query: str) -> None:
    assert not query_grams(parse_query(query))


@pytest.mark.parametrize(
    ("query", "better", "worse"),
    [
        ("cursor", "a cursor here", "a precursors here"),
        ("cursor", "cursor, cursor and cursor", "cursor, position and place"),
        ("cursor", "the cursor", "the " + "long " * 500 + "cursor"),
        ("page cursor", "the page cursor", "the cursor page"),
        ("世界", "世界", "你好" * 50 + "世界"),
    ],
)
def test_more_relevant_is_what_has_it_more_often_sooner_and_whole(
    query: str, better: str, worse: str
) -> None:
    parsed = parse_query(query)
    assert relevance(parsed, normalize(better)) > relevance(parsed, normalize(worse)) > 0
