"""Pages of sessions by keyset, from the index."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import Any, TypeAlias

import orjson

from app.backends.files.catalogue import stored_of
from app.backends.files.session_search import session_matches, sessions_matching
from app.backends.protocol import Scope
from app.model.identifiers import SessionId
from app.model.paging import (
    Page,
    SessionBound,
    SessionFilter,
    SessionOrderField,
    SessionPageRequest,
    Take,
    cut_page,
    title_order,
)
from app.model.session import Session

Condition: TypeAlias = tuple[str, tuple[Any, ...]]
"""What a row has to be, in SQL, with the values of its parameters."""

# Each is served by an index of its column and id, with the owner in front where one is given.
_COLUMNS = {
    SessionOrderField.LAST_ACTIVITY: "last_activity_at",
    SessionOrderField.CREATED: "created_at",
    SessionOrderField.TITLE: "title_order",
}


_MANY = 20_000
"""From how many matching texts on sessions are rather looked through in their order."""

_MISSES = 1000
"""After how many sessions that don't match those that do are looked up all the same."""


def page_of_sessions(
    connection: sqlite3.Connection, request: SessionPageRequest, scope: Scope
) -> Page[Session]:
    """Returns one page. Raises `Damaged`."""
    window = request.window
    column = _COLUMNS[request.order]
    ordered = _OrderedSessions(connection, request, scope)
    forward, backward = ("<", ">") if request.descending else (">", "<")
    bounds = [
        (f"({column}, id) {direction} (?, ?)", bound)
        for bound, direction in ((window.after, forward), (window.before, backward))
        if bound is not None
    ]
    from_end = window.take is Take.LAST
    order = "DESC" if request.descending is not from_end else "ASC"
    found = ordered.first(bounds, f"ORDER BY {column} {order}, id {order}", window.limit + 1)
    if from_end:
        found.reverse()

    def anything(bound: SessionBound | None, direction: str) -> bool:
        if bound is None:
            return False
        return bool(ordered.first([(f"({column}, id) {direction}= (?, ?)", bound)], "", 1))

    return cut_page(
        found,
        window.limit,
        window.take,
        before=anything(window.after, backward),
        behind=anything(window.before, forward),
    )


class _OrderedSessions:
    """The sessions that pass a filter, and match its query if it has one."""

    def __init__(
        self, connection: sqlite3.Connection, request: SessionPageRequest, scope: Scope
    ) -> None:
        self._connection = connection
        self._query = request.filter.query
        self._scope = scope
        self._conditions: list[Condition] = list(filter_conditions(request.filter))
        if scope.owner is not None:
            self._conditions.append(("owner_id = ?", (scope.owner,)))
        self._passes: set[SessionId] | None = None
        if self._query is not None:
            self._passes = sessions_matching(connection, self._query, scope, most=_MANY)

    def first(self, bounds: Iterable[Condition], order: str, limit: int) -> list[Session]:
        """Returns the first ones in an order and within bounds. Raises `Damaged`."""
        conditions = [*self._conditions, *bounds]
        if self._query is None:
            return list(self._read(conditions, order, limit))
        if self._passes is None:
            found: list[Session] = []
            with closing(self._read(conditions, order, limit + _MISSES)) as sessions:
                for number, session in enumerate(sessions):
                    if number - len(found) == _MISSES:
                        break
                    if session_matches(self._connection, self._query, session.id):
                        found.append(session)
                        if len(found) == limit:
                            return found
                else:
                    return found
            self._passes = sessions_matching(self._connection, self._query, self._scope)
        ids = orjson.dumps(sorted(self._passes or ())).decode()
        conditions.append(("id IN (SELECT value FROM json_each(?))", (ids,)))
        return list(self._read(conditions, order, limit))

    def _read(
        self, conditions: Iterable[Condition], order: str, limit: int
    ) -> Generator[Session, None, None]:
        where = " AND ".join(["1", *(text for text, _ in conditions)])
        values = [value for _, given in conditions for value in given]
        statement = f"SELECT state, crc, name, file FROM sessions WHERE {where} {order} LIMIT ?"  # noqa: S608 - ours
        with closing(self._connection.execute(statement, (*values, limit))) as rows:
            for row in rows:
                yield stored_of(row).session


def filter_conditions(wanted: SessionFilter) -> Iterator[Condition]:
    """Yields what the rows of sessions have to be to pass a filter, its query aside."""
    for name in ("archived", "pinned", "starred"):
        flag: bool | None = getattr(wanted, name)
        if flag is not None:
            yield f"{name} = ?", (flag,)
    for name in ("profile_id", "agent_id", "channel"):
        value: str | None = getattr(wanted, name)
        if value is not None:
            yield f"{name} = ?", (value,)
    if wanted.updated_since is not None:
        yield "updated_at >= ?", (wanted.updated_since,)
    if wanted.updated_until is not None:
        yield "updated_at < ?", (wanted.updated_until,)
    if wanted.title:
        yield "instr(title_order, ?) > 0", (title_order(wanted.title),)
