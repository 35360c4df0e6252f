"""Pages of the sessions whose title or messages match a query.

The index tells which sessions come into question. They are read in the order of the page, and
each is looked at until its title or one of its messages matches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.backends.protocol import Scope
from app.backends.sql.dialects.dialect import Dialect
from app.backends.sql.rows import to_session
from app.backends.sql.search_index import Fetch
from app.backends.sql.searching import Candidates, CandidateShape
from app.backends.sql.session_filters import NO_FILTER, shape_of
from app.backends.sql.session_pages import Walk, page_of_sessions
from app.model.identifiers import SessionId
from app.model.message import MessageScope
from app.model.paging import (
    Page,
    SessionPageRequest,
    Take,
    Window,
    cut_page,
    session_bound,
)
from app.model.parts import decode_parts
from app.model.search_query import SearchQuery, matches
from app.model.search_text import normal_text, normalize
from app.model.session import Session

_MOST = 512
"""How many sessions, or candidates of some, are read at once."""


async def page_of_matching(
    dialect: Dialect, fetch: Fetch, request: SessionPageRequest, scope: Scope, query: SearchQuery
) -> Page[Session]:
    """Returns a page of the sessions in scope that pass the filter and match its query."""
    lookup = await dialect.search.lookup(fetch, query)
    walk = _Walk(dialect, fetch, request, scope, query, lookup)
    window = request.window
    found = await walk.take(window, window.limit + 1)
    before = behind = False
    if window.after is not None:
        outside = Window(1, Take.LAST, before=window.after)
        before = bool(await walk.take(outside, 1, inclusive=True))
    if window.before is not None:
        outside = Window(1, Take.FIRST, after=window.before)
        behind = bool(await walk.take(outside, 1, inclusive=True))
    if window.take is Take.LAST:
        found.reverse()
    return cut_page(found, window.limit, window.take, before=before, behind=behind)


class _Walk:
    """Reading the sessions that may match, in the order of a request."""

    def __init__(
        self,
        dialect: Dialect,
        fetch: Fetch,
        request: SessionPageRequest,
        scope: Scope,
        query: SearchQuery,
        lookup: Mapping[str, Any],
    ) -> None:
        self._dialect = dialect
        self._fetch = fetch
        self._request = request
        self._scope = scope
        self._query = query
        self._lookup = lookup

    async def take(self, window: Window[Any], count: int, *, inclusive: bool = False) -> Any:
        """Returns the first sessions from the window's end that match, at most so many."""
        found: list[Session] = []
        size = max(2 * count, 16)
        while True:
            read = await self._read(window, size, inclusive=inclusive)
            matching = await self._matching(read)
            found += [session for session in read if session.id in matching]
            if len(found) >= count or len(read) < size:
                return found[:count]
            last = session_bound(read[-1], self._request.order)
            if window.take is Take.FIRST:
                window = Window(1, window.take, last, window.before)
            else:
                window = Window(1, window.take, window.after, last)
            inclusive = False
            size = min(2 * size, _MOST)

    async def _read(self, window: Window[Any], size: int, *, inclusive: bool) -> list[Session]:
        request = SessionPageRequest(
            Window(size - 1, window.take, window.after, window.before),
            self._request.filter,
            self._request.order,
            self._request.descending,
        )
        walk = Walk(inclusive, bool(self._lookup))
        rows = await self._fetch(
            page_of_sessions(self._dialect, request, self._scope, walk=walk, lookup=self._lookup)
        )
        return [to_session(row[2:]) for row in rows]

    async def _matching(self, read: Sequence[Session]) -> set[SessionId]:
        """Returns which of these sessions match."""
        found = {
            session.id
            for session in read
            if session.title and matches(self._query, normalize(session.title))
        }
        left = {session.id for session in read} - found
        after: dict[str, Any] | None = None
        while left:
            given = self._dialect.ids(sorted(left))
            shape = CandidateShape(
                bool(self._lookup),
                shape_of(NO_FILTER, self._scope),
                in_session=False,
                roles=None,
                messages=MessageScope.ALL,
                since=False,
                until=False,
                sessions=len(given),
                whole=False,
            )
            candidates = Candidates(self._dialect, self._fetch, shape, {**self._lookup, **given})
            rows = await candidates.read(_MOST, after)
            for row in rows:
                if row[2] in left and matches(self._query, normal_text(decode_parts(row[4]))):
                    found.add(row[2])
                    left.remove(row[2])
            if candidates.ended:
                break
            after = self._dialect.search.go_on(rows[-1])
        return found
