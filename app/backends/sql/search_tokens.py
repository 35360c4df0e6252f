"""The tokens by which texts are found: fewer than `app.model.search_text` names, and as sure.

A text is cut at its spaces. Of each piece every three adjacent characters are a token, and what
finds shorter terms; of CJK the pairs stand for the threes. That halves an index, and costs that
phrases such as "to be" have no token at all, for which there is always `matches`.
"""

from __future__ import annotations

from functools import lru_cache

from app.model.search_query import SearchQuery, query_grams
from app.model.search_text import GRAM, cjk_grams, has_cjk, short_grams, trigrams

_LONGEST_WORD = 20
"""How long a piece may be that is likely to come again."""


def tokens_of(normal: str) -> str:
    """Returns the tokens of a text in normal form, with spaces between; some maybe twice."""
    return " ".join(
        [
            _tokens_of_word(piece) if len(piece) <= _LONGEST_WORD else _tokens_of_piece(piece)
            for piece in set(normal.split(" "))
        ]
    )


def tokens_asked(query: SearchQuery) -> frozenset[str]:
    """Returns tokens all of which a text has that matches. There may be none."""
    tokens: set[str] = set()
    for gram in query_grams(query):
        if has_cjk(gram):
            tokens |= cjk_grams(gram)
        elif len(gram) < GRAM or " " not in gram:
            tokens.add(gram)
    return frozenset(tokens)


def _tokens_of_piece(piece: str) -> str:
    tokens = short_grams(piece) | trigrams(piece)
    if piece.isascii():
        return " ".join(tokens)
    return " ".join([token for token in tokens if len(token) < GRAM or not has_cjk(token)])


# Full, it holds 3.5 MB. Words that come less often are not worth more: to cut one up takes 2 µs.
_tokens_of_word = lru_cache(maxsize=16_384)(_tokens_of_piece)
