"""Searching in PostgreSQL: an array of tokens under a GIN index, without any extension."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Text, bindparam
from sqlalchemy.dialects.postgresql import ARRAY

from app.backends.sql.dialects.server_search import ServerSearchIndex, search_entries


class PostgresqlSearchIndex(ServerSearchIndex):
    """The index of a store in PostgreSQL."""

    def tokens_to_column(self, tokens: set[str]) -> list[str]:
        return list(tokens)

    def same_tokens(self, one: Any, other: Any) -> bool:
        return set(one) == set(other)

    def tokens_to_parameter(self, tokens: frozenset[str]) -> list[str]:
        return list(tokens)

    def _found(self) -> list[ColumnElement[bool]]:
        asked: Any = bindparam("tokens", type_=ARRAY(Text))
        return [search_entries.c.tokens.contains(asked)]
