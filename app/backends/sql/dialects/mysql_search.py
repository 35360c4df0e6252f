"""Searching in MariaDB and MySQL: tokens as the words of a full-text index.

What the server takes for a word depends on its settings, as does which words it leaves out; so
each token is written as a word that it takes whole: letters and digits, longer than any word that
is left out for its shortness, and none of those left out for their frequency.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Text, bindparam
from sqlalchemy.dialects.mysql import match

from app.backends.sql.dialects.server_search import ServerSearchIndex, search_entries

SHORTEST_WORD = 3
"""The length of the shortest word that stands for a token: `Q1` and one letter or digit."""

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")


class MysqlSearchIndex(ServerSearchIndex):
    """The index of a store in MariaDB or MySQL.

    The server finds all candidates before it gives the first, and again for each statement: so
    the newest texts are looked at without it, and statements read many.
    """

    sizes = (512, 16_384)
    newest = 256

    def tokens_to_column(self, tokens: set[str]) -> str:
        return " ".join([_to_word(token) for token in tokens])

    def same_tokens(self, one: Any, other: Any) -> bool:
        return set(one.split(" ")) == set(other.split(" "))

    def tokens_to_parameter(self, tokens: frozenset[str]) -> str:
        return " ".join(sorted("+" + _to_word(token) for token in tokens))

    def _found(self) -> list[ColumnElement[bool]]:
        return [
            match(
                search_entries.c.tokens, against=bindparam("tokens", type_=Text)
            ).in_boolean_mode()
        ]


@lru_cache(maxsize=65_536)
def _to_word(token: str) -> str:
    """Returns a token as a word of one case: small letters, digits, capital letters in between."""
    return (
        "Q"
        + str(len(token))
        + "".join(
            character if character in _PLAIN else f"X{ord(character):X}Z" for character in token
        )
    )
