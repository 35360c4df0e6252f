"""Reading the messages that match: candidates of the index, the newest first, looked at in turn.

A statement gives more candidates the more of them did not match before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import BigInteger, Integer, Select, String, bindparam, literal_column, select

from app.backends.protocol import EVERYTHING, Scope
from app.backends.sql.dialects.dialect import Dialect
from app.backends.sql.reads import Rows
from app.backends.sql.rows import MESSAGE_COLUMNS, SESSION_COLUMNS, to_message, to_session
from app.backends.sql.search_index import Fetch, SearchIndex
from app.backends.sql.session_filters import (
    NO_FILTER,
    FilterShape,
    conditions_of,
    parameters_of,
    shape_of,
)
from app.backends.sql.tables import messages, sessions
from app.model.message import MessageRole, MessageScope
from app.model.paging import Page
from app.model.parts import decode_parts
from app.model.search import (
    RANKED,
    SearchBound,
    SearchHit,
    SearchOrder,
    SearchRequest,
    page_of_hits,
)
from app.model.search_query import SearchQuery, matches, relevance
from app.model.search_text import normal_text

_NEWEST = SearchBound(0, "~", "", 0)  # type: ignore[arg-type]
"""Comes before every message in the order of time, newest first."""

_PLACE = (messages.c.created_at, messages.c.session_id, messages.c.sequence)
_KEYS = 1 + len(_PLACE)
_PARTS = _KEYS + MESSAGE_COLUMNS.index(messages.c.parts)
_SESSION = _KEYS + len(MESSAGE_COLUMNS)

_Match: TypeAlias = tuple[Sequence[Any], str]
"""A row that matches, and its normal form."""


class CandidateShape(NamedTuple):
    """What makes two requests different statements."""

    looks_up: bool
    filter: FilterShape
    in_session: bool
    roles: frozenset[MessageRole] | None
    messages: MessageScope
    since: bool
    until: bool
    sessions: int | None = None
    """How many parameters name the sessions that are looked at, None where that is open."""
    whole: bool = True
    """Whether messages and sessions are read, or just what is needed to match."""


async def search(
    dialect: Dialect, fetch: Fetch, request: SearchRequest, scope: Scope
) -> Page[SearchHit]:
    """Returns a page of the messages in scope that match."""
    lookup = await dialect.search.lookup(fetch, request.query)
    shape = CandidateShape(
        bool(lookup),
        shape_of(request.sessions, scope),
        request.session_id is not None,
        request.roles,
        request.messages,
        request.since is not None,
        request.until is not None,
    )
    parameters = {
        **lookup,
        **parameters_of(request.sessions, scope),
        "session": request.session_id,
        "since": request.since,
        "until": request.until,
    }
    ranked = request.order is SearchOrder.RELEVANCE
    after = None if ranked else request.window.after
    wanted = RANKED if ranked else request.window.limit + 1
    found: list[_Match] = []
    index = dialect.search
    if lookup and wanted <= index.newest and shape == _open_shape(shape):
        newest = Candidates(dialect, fetch, shape._replace(looks_up=False), parameters, after)
        rows = await newest.read(index.newest)
        found = _those_that_match(rows, request.query)[:wanted]
        if newest.ended:
            wanted = len(found)
        else:
            after = SearchBound(0, *rows[-1][1:_KEYS])
    if len(found) < wanted:
        candidates = Candidates(dialect, fetch, shape, parameters, after)
        found += await _matching(candidates, request.query, index, wanted - len(found))
    if not ranked:
        return page_of_hits(request, [_hit(row, 0) for row, _ in found])
    scored = [(relevance(request.query, normal), row) for row, normal in found]
    behind = [
        (score, row)
        for score, row in scored
        if request.window.after is None or (score, *row[1:_KEYS]) < request.window.after
    ]
    behind.sort(key=lambda one: (one[0], *one[1][1:_KEYS]), reverse=True)
    return page_of_hits(
        request, [_hit(row, score) for score, row in behind[: request.window.limit + 1]]
    )


class Candidates:
    """The candidates of a search, read in several statements if need be."""

    def __init__(
        self,
        dialect: Dialect,
        fetch: Fetch,
        shape: CandidateShape,
        parameters: Mapping[str, Any],
        after: SearchBound | None = None,
    ) -> None:
        place = after or _NEWEST
        start = dialect.search.start(after, parameters.get("since"), parameters.get("until"))
        self._index = dialect.search
        self._fetch = fetch
        self._statement = _statement(dialect, shape)
        self._parameters = {
            **parameters,
            "at": place.created_at,
            "in": place.session_id,
            "number": place.sequence,
            **start,
        }
        self.ended = False
        self.rows: Rows = []
        """Rows of `_statement` that were read last."""

    async def read(self, size: int, given: Mapping[str, Any] | None = None) -> Rows:
        """Returns the next candidates, at most so many; `given` takes the place of parameters.

        They are in the order of time within what `is_final` says.
        """
        parameters = {**self._parameters, **(given or {}), "size": size}
        rows = await self._fetch((self._statement, parameters))
        self.ended = len(rows) < size
        if rows:
            self._parameters.update(self._index.go_on(rows[-1]))
            self.rows = rows
        return rows

    def is_final(self, row: Sequence[Any]) -> bool:
        """Answers whether nothing that is still to be read is newer than a row."""
        return self.ended or self._index.is_final(row, self.rows[-1])


def _open_shape(shape: CandidateShape) -> CandidateShape:
    """Returns the shape of a search in all messages of all sessions."""
    everything = CandidateShape(
        shape.looks_up, shape_of(NO_FILTER, EVERYTHING), False, None, MessageScope.ALL, False, False
    )
    return everything._replace(since=shape.since, until=shape.until)


def _those_that_match(rows: Rows, query: SearchQuery) -> list[_Match]:
    texts = [(row, normal_text(decode_parts(row[_PARTS]))) for row in rows]
    return [(row, normal) for row, normal in texts if matches(query, normal)]


async def _matching(
    candidates: Candidates, query: SearchQuery, index: SearchIndex, wanted: int
) -> list[_Match]:
    """Returns the newest rows that match, so many if there are, with their normal form."""
    found: list[_Match] = []
    first, most = index.sizes
    size = max(first, min(wanted, most))
    while True:
        found += _those_that_match(await candidates.read(size), query)
        found.sort(key=lambda one: tuple(one[0][1:_KEYS]), reverse=True)
        if candidates.ended:
            return found[:wanted]
        if len(found) >= wanted and candidates.is_final(found[wanted - 1][0]):
            return found[:wanted]
        size = min(2 * size, most)


def _hit(row: Sequence[Any], score: int) -> SearchHit:
    return SearchHit(to_message(row[_KEYS:_SESSION]), to_session(row[_SESSION:]), score)


@lru_cache(maxsize=128)
def _statement(dialect: Dialect, shape: CandidateShape) -> Select[Any]:
    """Returns the statement of candidates behind a place, the newest first.

    Rows: what `SearchIndex.go_on` takes, then `parts`, or the columns of message and session.
    """
    index = dialect.search
    entries = index.entries
    source = index.join(
        index.source(looks_up=shape.looks_up),
        messages,
        (messages.c.session_id == entries.c.session_id)
        & (messages.c.sequence == entries.c.sequence),
    )
    conditions = index.conditions(looks_up=shape.looks_up)
    if shape.whole:
        source = index.join(source, sessions, sessions.c.id == messages.c.session_id)
        conditions += conditions_of(dialect, sessions, shape.filter)
    if shape.in_session:
        conditions.append(entries.c.session_id == bindparam("session", type_=String))
    if shape.sessions is not None:
        conditions.append(dialect.one_of(entries.c.session_id, shape.sessions))
    if shape.roles is not None:
        named = ", ".join(sorted(f"'{role.value}'" for role in shape.roles)) or "NULL"
        conditions.append(messages.c.role.in_([literal_column(named)]))
    if shape.messages is not MessageScope.ALL:
        archived = messages.c.archived_at.is_not(None)
        conditions.append(archived if shape.messages is MessageScope.ARCHIVED else ~archived)
    if shape.since:
        conditions.append(index.created_at >= bindparam("since", type_=String))
    if shape.until:
        conditions.append(index.created_at < bindparam("until", type_=String))
    place = (index.created_at, entries.c.session_id, entries.c.sequence)
    bound = (
        bindparam("at", type_=String),
        bindparam("in", type_=String),
        bindparam("number", type_=BigInteger),
    )
    conditions.append(dialect.past(place, bound, forward=False, inclusive=False))
    read = [*MESSAGE_COLUMNS, *SESSION_COLUMNS] if shape.whole else [messages.c.parts]
    statement = (
        select(index.position, *place, *[column.label(None) for column in read])
        .select_from(source)
        .where(*conditions)
        .order_by(*index.order(looks_up=shape.looks_up))
        .limit(bindparam("size", type_=Integer))
    )
    if not shape.looks_up and not shape.in_session and shape.sessions is None:
        statement = dialect.by_index(statement, entries, "ix_search_entries_created")
        for name in ("mysql", "mariadb"):
            statement = statement.prefix_with("STRAIGHT_JOIN", dialect=name)
    return statement


async def search_all(
    dialect: Dialect, fetch: Fetch, requests: Collection[SearchRequest], scope: Scope
) -> dict[SearchRequest, Page[SearchHit]]:
    """Returns the pages of requests."""
    return {
        request: await search(dialect, fetch, request, scope) for request in dict.fromkeys(requests)
    }
