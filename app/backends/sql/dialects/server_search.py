"""Searching on a database server: an entry for each text, with its tokens under an index."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Index,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    literal,
    select,
)
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.dialects.postgresql import ARRAY

from app.backends.sql.search_check import expected_texts, kept_rows, sessions_that_differ
from app.backends.sql.search_index import TITLE, Fetch, IndexedText, SearchIndex
from app.backends.sql.search_tokens import tokens_asked, tokens_of
from app.backends.sql.tables import sessions
from app.model.search import SearchBound
from app.model.search_query import SearchQuery

search_metadata = MetaData()

_TOKENS = ARRAY(Text).with_variant(
    LONGTEXT(charset="ascii", collation="ascii_bin"), "mysql", "mariadb"
)

search_entries = Table(
    "search_entries",
    search_metadata,
    Column("session_id", String(32), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("created_at", String(27), nullable=False),
    Column("tokens", _TOKENS, nullable=False),
    Index("ix_search_entries_created", "created_at", "session_id", "sequence"),
    Index(
        "ix_search_entries_tokens",
        "tokens",
        postgresql_using="gin",
        mysql_prefix="FULLTEXT",
        mariadb_prefix="FULLTEXT",
    ),
)


class ServerSearchIndex(SearchIndex):
    """The index of a store on a server."""

    metadata = search_metadata
    entries = search_entries
    created_at = search_entries.c.created_at
    position = literal(0)

    @abstractmethod
    def tokens_to_column(self, tokens: set[str]) -> Any:
        """Returns how tokens are stored."""

    def add(self, connection: Connection, texts: Sequence[IndexedText]) -> None:
        rows = [
            {
                "session_id": one.session_id,
                "sequence": one.sequence,
                "created_at": one.at,
                "tokens": self.tokens_to_column(set(tokens_of(one.normal).split(" "))),
            }
            for one in texts
            if one.normal
        ]
        if rows:
            connection.execute(insert(search_entries), rows)

    def remove(
        self, connection: Connection, session_id: str, first: int, last: int | None = None
    ) -> None:
        columns = search_entries.c
        statement = delete(search_entries).where(
            columns.session_id == session_id, columns.sequence >= first
        )
        if last is not None:
            statement = statement.where(columns.sequence <= last)
        connection.execute(statement)

    def disagreeing(self, connection: Connection) -> list[str]:
        columns = search_entries.c
        kept = select(columns.session_id, columns.sequence, columns.created_at, columns.tokens)
        return sessions_that_differ(
            expected_texts(connection), kept_rows(connection, kept), self._fits
        )

    def rebuild(self, connection: Connection, session_ids: Sequence[str]) -> None:
        for session_id in session_ids:
            # Others may be writing to it.
            connection.execute(
                select(sessions.c.id).where(sessions.c.id == session_id).with_for_update()
            )
            self.remove(connection, session_id, TITLE)
            self.add_session(connection, session_id)

    def _fits(self, text: IndexedText, row: Sequence[Any]) -> bool:
        tokens = self.tokens_to_column(set(tokens_of(text.normal).split(" ")))
        return bool(text.at == row[2] and self.same_tokens(tokens, row[3]))

    @abstractmethod
    def same_tokens(self, one: Any, other: Any) -> bool:
        """Answers whether two stored forms have the same tokens."""

    @abstractmethod
    def tokens_to_parameter(self, tokens: frozenset[str]) -> Any:
        """Returns how tokens are asked for."""

    async def lookup(self, fetch: Fetch, query: SearchQuery) -> dict[str, Any]:
        tokens = tokens_asked(query)
        return {"tokens": self.tokens_to_parameter(tokens)} if tokens else {}

    def source(self, *, looks_up: bool) -> FromClause:
        return search_entries

    def join(self, left: FromClause, right: FromClause, on: ColumnElement[bool]) -> FromClause:
        return left.join(right, on)

    def conditions(self, *, looks_up: bool) -> list[ColumnElement[bool]]:
        return self._found() if looks_up else []

    def order(self, *, looks_up: bool) -> list[ColumnElement[Any]]:
        columns = search_entries.c
        return [columns.created_at.desc(), columns.session_id.desc(), columns.sequence.desc()]

    def start(
        self, after: SearchBound | None, since: str | None, until: str | None
    ) -> dict[str, Any]:
        return {}

    def go_on(self, row: Sequence[Any]) -> dict[str, Any]:
        return {"at": row[1], "in": row[2], "number": row[3]}

    def is_final(self, row: Sequence[Any], last: Sequence[Any]) -> bool:
        return True
