"""What is searched for: a query's terms, which texts have them all, and how well.

Every backend answers by `matches` alone, or by an index that gives the same: an index by grams
finds candidates, and `matches` has the last word. So all answer alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.model.search_text import (
    GRAM,
    cjk_grams,
    has_cjk,
    is_word_character,
    normalize,
    short_grams,
    trigrams,
)

_TERM = re.compile(r'"([^"]+)"(?!\S)|(\S+)')

_OFTEN = 8
"""How many of a term's places count; more of them say no more."""


@dataclass(frozen=True, slots=True)
class SearchTerm:
    """One thing that a text must have, in normal form.

    A `whole_word` neither begins nor ends within a word: "go" is not found in "good", "c#" is
    found in "C#." and "::" in "a::b". Any other term is found wherever it stands.
    """

    text: str
    whole_word: bool


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A text matches where it has every term."""

    terms: tuple[SearchTerm, ...]


def parse_query(text: str) -> SearchQuery:
    """Returns the query that somebody typed: terms parted by white space.

    What stands between two quotation marks is one term, with its spaces; elsewhere a quotation
    mark is a character like any other. Terms of one or two characters, none of them CJK, are
    whole words. There may be no term at all.
    """
    found = (normalize(match[1] or match[2] or "") for match in _TERM.finditer(text))
    terms = dict.fromkeys(term for term in found if term)
    return SearchQuery(
        tuple(SearchTerm(term, len(term) < GRAM and not has_cjk(term)) for term in terms)
    )


def query_grams(query: SearchQuery) -> frozenset[str]:
    """Returns grams all of which the index of a matching text has; see `index_grams`.

    None for a query that no index can look up: its terms are single punctuation characters.
    """
    return frozenset(gram for term in query.terms for gram in _term_grams(term))


def matches(query: SearchQuery, normal: str) -> bool:
    """Answers whether a text, given in normal form, has every term."""
    for term in query.terms:
        if term.text not in normal:
            return False
        if term.whole_word and next(find_term(term, normal), None) is None:
            return False
    return True


def find_term(term: SearchTerm, normal: str) -> Iterator[int]:
    """Yields where a term begins in a text in normal form, from left to right."""
    text = term.text
    place = normal.find(text)
    while place >= 0:
        if not term.whole_word or is_whole(normal, place, len(text)):
            yield place
        place = normal.find(text, place + 1)


def is_whole(normal: str, start: int, length: int) -> bool:
    """Answers whether a part of a text neither begins nor ends within a word."""
    end = start + length
    cut_before = (
        start > 0 and is_word_character(normal[start]) and is_word_character(normal[start - 1])
    )
    return not cut_before and not (
        end < len(normal) and is_word_character(normal[end - 1]) and is_word_character(normal[end])
    )


def relevance(query: SearchQuery, normal: str) -> int:
    """Returns how well a matching text, given in normal form, answers a query; more is better.

    A term counts by how often it is there, less with each time and in a long text; more as a
    whole word, and near the beginning. Terms that stand together in the query's order count
    once more. Whole numbers alone, so that it is the same on every machine.
    """
    score = 0
    for term in query.terms:
        count = whole = 0
        first = len(normal)
        for place in find_term(term, normal):
            first = min(first, place)
            count += 1
            whole = whole or is_whole(normal, place, len(term.text))
            if count == _OFTEN:
                break
        score += 3000 * count // (count + 1 + len(normal) // 500)
        score += 1000 * whole
        score += 500 * 200 // (200 + first)
    if len(query.terms) > 1 and " ".join([term.text for term in query.terms]) in normal:
        score += 2000
    return score


def _term_grams(term: SearchTerm) -> frozenset[str]:
    if len(term.text) >= GRAM:
        return trigrams(term.text)
    # Beside CJK a letter may be the beginning of a longer word, which the index has as a whole.
    return short_grams(term.text) if term.whole_word else cjk_grams(term.text)
