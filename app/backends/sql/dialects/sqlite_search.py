"""Searching in SQLite: an FTS5 table of tokens that keeps no text, numbered by time.

The number of a text begins with the second and the microsecond in which its message was created,
so that the newest candidates are the first that FTS5 comes to, however many there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Join,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    column,
    select,
    text,
)
from sqlalchemy import table as lightweight_table
from sqlalchemy.ext.compiler import compiles

from app.backends.sql.dialects.sqlite_writes import SqliteWrites
from app.backends.sql.search_check import expected_texts, kept_rows, sessions_that_differ
from app.backends.sql.search_index import (
    Fetch,
    IndexedText,
    SearchIndex,
    index_everything,
    texts_of,
)
from app.backends.sql.search_tokens import tokens_asked, tokens_of
from app.backends.sql.tables import messages, sessions
from app.model.errors import InvalidInput
from app.model.search import SearchBound
from app.model.search_query import SearchQuery

_SECOND = 1 << 24
"""How many numbers a second has, and how many of them a microsecond."""
_MICROSECOND = 16

_LAST = 2**63 - 1

search_metadata = MetaData()

search_entries = Table(
    "search_entries",
    search_metadata,
    Column("id", Integer, primary_key=True),
    Column("session_id", String(32), nullable=False),
    Column("sequence", BigInteger, nullable=False),
)
_index = lightweight_table("search_index", column("rowid", BigInteger), column("search_index"))

_INSERT_ENTRIES = text("INSERT INTO search_entries VALUES (:id, :session_id, :sequence)")
_INSERT_TOKENS = text("INSERT INTO search_index (rowid, tokens) VALUES (:id, :tokens)")
_REMOVE_ENTRIES = text("DELETE FROM search_entries WHERE id = :id")
_REMOVE_TOKENS = text(
    "INSERT INTO search_index (search_index, rowid, tokens) VALUES ('delete', :id, :tokens)"
)
# What is said now is newer than all that is there: then one look does for all spans.
_TAKEN = text(
    """
    SELECT r.value ->> 0, (SELECT max(e.id) FROM search_entries e
                           WHERE e.id >= r.value ->> 0 AND e.id < (r.value ->> 0) + (r.value ->> 1))
    FROM json_each(
        iif(EXISTS (SELECT 1 FROM search_entries WHERE id >= :lowest), :spans, '[]')
    ) r
    """
)
_TAKEN_FROM = text("SELECT id FROM search_entries WHERE id >= :start AND id < :end ORDER BY id")
_NUMBER = text(
    """
    SELECT id FROM search_entries
    WHERE id >= :start AND id < :end AND session_id = :session_id AND sequence = :sequence
    ORDER BY id LIMIT 1
    """
)


class _Ordered(Join):
    """A join whose order SQLite keeps (https://sqlite.org/lang_select.html, CROSS JOIN)."""

    inherit_cache = True


@compiles(_Ordered)
def _compile_ordered(join: _Ordered, compiler: Any, **options: Any) -> str:
    left = compiler.process(join.left, **options)
    right = compiler.process(join.right, **options)
    return f"{left} CROSS JOIN {right} ON {compiler.process(join.onclause)}"


class SqliteSearchIndex(SearchIndex):
    """The index of an SQLite store."""

    metadata = search_metadata
    entries = search_entries
    created_at = messages.c.created_at
    position = search_entries.c.id

    def __init__(self) -> None:
        self._writes = SqliteWrites()

    def add(self, connection: Connection, texts: Sequence[IndexedText]) -> None:
        # FTS5 writes out what it has in hand each time that a number is lower than the last one.
        indexed = sorted([(_start(one.at), one) for one in texts if one.normal], key=itemgetter(0))
        if not indexed:
            return
        ids = self._numbers(connection, [start for start, _ in indexed])
        numbered = sorted(zip(ids, indexed, strict=True), key=itemgetter(0))
        entries = [(number, one.session_id, one.sequence) for number, (_, one) in numbered]
        tokens = [(number, tokens_of(one.normal)) for number, (_, one) in numbered]
        self._writes.run(connection, _INSERT_ENTRIES, entries)
        self._writes.run(connection, _INSERT_TOKENS, tokens)

    def _numbers(self, connection: Connection, starts: list[int]) -> list[int]:
        """Returns a free number for each text, given in order the first of each one's moment."""
        sizes = {start: _MICROSECOND + 2 * count for start, count in Counter(starts).items()}
        taken = self._taken(connection, sizes)
        if not taken and len(sizes) == len(starts):
            # What is said now is newer than all that is there, one at a moment.
            return starts
        given: set[int] = set()
        highest = -1
        numbers: list[int] = []
        for start, same in groupby(starts):
            count, last = len(list(same)), taken.get(start)
            first = max(start if last is None else last + 1, highest + 1)
            free: Iterable[int] = range(first, first + count)
            if first + count > start + sizes[start]:
                free = (one for one in _free_from(connection, start) if one not in given)
            found = list(islice(free, count))
            given.update(found)
            numbers += found
            highest = max([highest, *found])
        if len(numbers) < len(starts):
            raise InvalidInput("the store has too many messages of this second")
        return numbers

    def _taken(self, connection: Connection, sizes: dict[int, int]) -> dict[int, int | None]:
        """Returns the highest number that is taken in each span, by the span's start.

        Empty where nothing is from the first span on.
        """
        spans = orjson.dumps(list(sizes.items())).decode()
        bounds = {"spans": spans, "lowest": min(sizes)}
        return dict(map(tuple, self._writes.fetch(connection, (_TAKEN, bounds))))

    def remove(
        self, connection: Connection, session_id: str, first: int, last: int | None = None
    ) -> None:
        for texts in texts_of(connection, session_id, first, last):
            rows = []
            for one in texts:
                start = _start(one.at)
                key = {"session_id": session_id, "sequence": one.sequence}
                span = {"start": start, "end": _end_of_second(start)}
                number = connection.execute(_NUMBER, key | span).scalar()
                if number is not None:
                    rows.append({"id": number, "tokens": tokens_of(one.normal)})
            if rows:
                rows.sort(key=lambda row: row["id"])
                connection.execute(_REMOVE_TOKENS, rows)
                connection.execute(_REMOVE_ENTRIES, rows)

    def disagreeing(self, connection: Connection) -> list[str]:
        counted: Counter[str] = Counter()

        def texts() -> Iterator[IndexedText]:
            for one in expected_texts(connection):
                counted.update(set(tokens_of(one.normal).split(" ")) - {""})
                yield one

        columns = search_entries.c
        kept = kept_rows(connection, select(columns.session_id, columns.sequence, columns.id))
        differing = sessions_that_differ(texts(), kept, _fits)
        if not differing and counted != _count_tokens(connection):
            # Which of the texts it is can't be told from an index that keeps none.
            return list(connection.scalars(select(sessions.c.id).order_by(sessions.c.id)))
        return differing

    def rebuild(self, connection: Connection, session_ids: Sequence[str]) -> None:
        # All of it, so that nothing stays of texts that are gone.
        connection.execute(text("INSERT INTO search_index (search_index) VALUES ('delete-all')"))
        connection.execute(text("DELETE FROM search_entries"))
        index_everything(self, connection)

    async def lookup(self, fetch: Fetch, query: SearchQuery) -> dict[str, Any]:
        tokens = tokens_asked(query)
        quoted = ['"' + token.replace('"', '""') + '"' for token in sorted(tokens)]
        return {"match": " AND ".join(quoted)} if quoted else {}

    def source(self, *, looks_up: bool) -> FromClause:
        if not looks_up:
            return search_entries
        return self.join(_index, search_entries, search_entries.c.id == _index.c.rowid)

    def join(self, left: FromClause, right: FromClause, on: ColumnElement[bool]) -> FromClause:
        return _Ordered(left, right, on)

    def conditions(self, *, looks_up: bool) -> list[ColumnElement[bool]]:
        number = _index.c.rowid if looks_up else search_entries.c.id
        found = self._found() if looks_up else []
        return [
            *found,
            number < bindparam("position", type_=BigInteger),
            number >= bindparam("lowest", type_=BigInteger),
        ]

    def _found(self) -> list[ColumnElement[bool]]:
        return [_index.c.search_index.op("MATCH")(bindparam("match", type_=Text))]

    def order(self, *, looks_up: bool) -> list[ColumnElement[Any]]:
        return [(_index.c.rowid if looks_up else search_entries.c.id).desc()]

    def start(
        self, after: SearchBound | None, since: str | None, until: str | None
    ) -> dict[str, Any]:
        ends = [_end_of_second(_start(after.created_at))] if after else []
        ends += [_end_of_second(_start(until))] if until else []
        return {
            "position": min(ends, default=_LAST),
            "lowest": _start(since) if since else 0,
        }

    def go_on(self, row: Sequence[Any]) -> dict[str, Any]:
        return {"position": row[0]}

    def is_final(self, row: Sequence[Any], last: Sequence[Any]) -> bool:
        # A number is never lower than where its moment begins: what follows is older than that.
        return bool(_start(row[1]) >= last[0])


def _fits(one: IndexedText, row: Sequence[Any]) -> bool:
    start = _start(one.at)
    return bool(start <= row[2] < _end_of_second(start))


def _count_tokens(connection: Connection) -> Counter[str]:
    """Returns in how many texts each token is, as the index has it."""
    reads_only = connection.exec_driver_sql("PRAGMA query_only").scalar()
    connection.exec_driver_sql("PRAGMA query_only = OFF")
    connection.exec_driver_sql(
        "CREATE VIRTUAL TABLE temp.search_vocabulary USING fts5vocab(main, search_index, row)"
    )
    try:
        counted = connection.exec_driver_sql("SELECT term, doc FROM temp.search_vocabulary")
        return Counter(dict(map(tuple, counted)))
    finally:
        connection.exec_driver_sql("DROP TABLE temp.search_vocabulary")
        connection.exec_driver_sql(f"PRAGMA query_only = {reads_only}")


def _free_from(connection: Connection, start: int) -> Iterator[int]:
    """Yields the free numbers of a second from one on, for a moment of very many messages."""
    number, end = start, _end_of_second(start)
    for (taken,) in connection.execute(_TAKEN_FROM, {"start": start, "end": end}):
        yield from range(number, taken)
        number = taken + 1
    yield from range(number, end)


def _start(at: str) -> int:
    """Returns the first number of a moment. Times of `app.model.timestamps` are canonical."""
    return _second(at[:19]) + int(at[20:26]) * _MICROSECOND


@lru_cache(maxsize=1024)
def _second(at: str) -> int:
    day = date(int(at[:4]), int(at[5:7]), int(at[8:10])).toordinal()
    return (day * 86_400 + int(at[11:13]) * 3600 + int(at[14:16]) * 60 + int(at[17:19])) * _SECOND


def _end_of_second(number: int) -> int:
    return (number // _SECOND + 1) * _SECOND
