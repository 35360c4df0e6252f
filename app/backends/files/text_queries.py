"""Reading texts that match a query: by their grams, each then read and compared itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

from app.backends.files.text_grams import match_of
from app.backends.files.texts import Place, Run
from app.model.identifiers import SessionId
from app.model.search_query import SearchQuery, matches, query_grams
from app.model.timestamps import Timestamp


class FoundText(NamedTuple):
    """A text that matches. Greater is newer."""

    place: Place
    normal: str


@dataclass(frozen=True, slots=True)
class TextCondition:
    """What else a text `t` has to be, in SQL, with the values of its parameters and its joins."""

    text: str
    values: tuple[Any, ...] = ()
    join: str = ""


class MatchingTexts:
    """The texts that match a query and some conditions; of one owner ("": none) or session."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        query: SearchQuery,
        conditions: Sequence[TextCondition] = (),
        *,
        owner_id: str | None = None,
        session_id: SessionId | None = None,
    ) -> None:
        self._connection = connection
        self._query = query
        every = list(conditions)
        if owner_id is not None:
            every.append(TextCondition("t.owner_id = ?", (owner_id,)))
        if session_id is not None:
            every.append(TextCondition("t.session_id = ?", (session_id,)))
        self._joins = " ".join(dict.fromkeys([one.join for one in every if one.join]))
        self._where = " AND ".join(["1", *(one.text for one in every)])
        self._values = [value for one in every for value in one.values]
        self._match = match_of(query_grams(query), owner_id=owner_id, session_id=session_id)

    def fresh(self) -> Iterator[FoundText]:
        """Returns those that have yet to be settled, newest first."""
        source = f"fresh_texts t {self._joins} WHERE {self._where}"
        return iter(sorted(self._found(source, self._values), reverse=True))

    def settled(self) -> Iterator[FoundText]:
        """Yields those that are settled, in any order."""
        return self._settled("")

    def in_run(
        self, run: Run, *, since: Timestamp | None = None, through: Timestamp | None = None
    ) -> Iterator[FoundText]:
        """Yields those of a run, newest first; others than of the given time are spared reading."""
        first, last = run.first, run.last
        if through is not None:
            last = self._last(run, lambda at: at <= through)
        if since is not None:
            first = self._last(run, lambda at: at < since) + 1
        return self._settled("AND g.rowid BETWEEN ? AND ? ORDER BY g.rowid DESC", first, last)

    def _settled(self, rest: str, *values: int) -> Iterator[FoundText]:
        # The order of reading is told to SQLite, which would think little of the grams.
        source = f"text_grams g CROSS JOIN texts t ON t.id = g.rowid {self._joins}"
        where = f"WHERE g.text_grams MATCH ? AND {self._where} {rest}"
        return self._found(f"{source} {where}", [self._match, *self._values, *values])

    def _found(self, source: str, values: list[Any]) -> Iterator[FoundText]:
        statement = f"SELECT t.created_at, t.session_id, t.sequence, t.normal FROM {source}"  # noqa: S608 - ours
        with closing(self._connection.execute(statement, values)) as rows:
            for created_at, session_id, sequence, normal in rows:
                if matches(self._query, normal):
                    yield FoundText(Place(created_at, session_id, sequence), normal)

    def _last(self, run: Run, is_before: Callable[[Timestamp], bool]) -> int:
        """Returns the last id of a run before a point in time; the id before its first for none."""
        low, high = run.first, run.last
        while low <= high:
            middle = (low + high) // 2
            row = self._connection.execute(
                "SELECT id, created_at FROM texts WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1",
                (middle, high),
            ).fetchone()
            if row is not None and is_before(row[1]):
                low = row[0] + 1
            else:
                high = middle - 1
        return high
