"""Searching in PostgreSQL: an array of grams under a GIN index, without any extension."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Text, bindparam
from sqlalchemy.dialects.postgresql import ARRAY

from app.backends.sql.dialects.server_search import ServerSearchIndex, search_entries


class PostgresqlSearchIndex(ServerSearchIndex):
    """The index of a store in PostgreSQL."""

    def grams_to_column(self, grams: frozenset[str]) -> list[str]:
        return list(grams)

    def grams_to_parameter(self, grams: frozenset[str]) -> list[str]:
        return list(grams)

    def _found(self) -> list[ColumnElement[bool]]:
        asked: Any = bindparam("grams", type_=ARRAY(Text))
        return [search_entries.c.grams.contains(asked)]
