"""The text that SQLite's trigram tokenizer gets, so that it finds terms of one character as well.

The tokenizer keeps every three adjacent characters. Each CJK character is put between two marks,
which makes it a token of its own and, with its neighbour, another one; what else is shorter than
three characters is added at the end, with a mark or two in front.
"""

from __future__ import annotations

import re

from app.model.search_query import SearchQuery, query_grams
from app.model.search_text import CJK_RUN, GRAM, cjk_grams, short_grams

_BETWEEN = "\x02"
_BEFORE = "\x01"


def to_tokenizer(normal: str) -> str:
    """Returns what is indexed of a text in normal form."""
    short = short_grams(normal)
    if normal.isascii():
        return normal + "".join(map(_padded, short)) if short else normal
    short -= cjk_grams(normal)
    return _marked(normal) + "".join(map(_padded, short))


def to_match(query: SearchQuery) -> str:
    """Returns what FTS5 is asked: for texts that have every token of the query. Empty for none."""
    tokens: set[str] = set()
    for gram in query_grams(query):
        if CJK_RUN.search(gram):
            marked = _marked(gram)
            tokens.update(marked[at : at + GRAM] for at in range(len(marked) - GRAM + 1))
        else:
            tokens.add(_padded(gram))
    return " AND ".join('"' + token.replace('"', '""') + '"' for token in sorted(tokens))


def _padded(gram: str) -> str:
    return _BEFORE * (GRAM - len(gram)) + gram


def _marked(text: str) -> str:
    return CJK_RUN.sub(_between, text)


def _between(run: re.Match[str]) -> str:
    return _BETWEEN + _BETWEEN.join(run[0]) + _BETWEEN
