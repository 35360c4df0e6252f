"""Searching messages in the index: the newest that match, without reading all of them."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

from app.backends.files.catalogue import Damaged, find_by_id
from app.backends.files.reader import Reader
from app.backends.files.session_pages import filter_conditions
from app.backends.files.text_queries import FoundText, MatchingTexts, TextCondition
from app.backends.files.texts import TITLE, runs_of
from app.backends.protocol import Scope
from app.model.errors import StoreUnavailable
from app.model.identifiers import MessageId, Sequence, SessionId
from app.model.message import Message, MessageScope
from app.model.paging import Page
from app.model.search import (
    RANKED,
    SearchBound,
    SearchHit,
    SearchOrder,
    SearchRequest,
    page_of_hits,
)
from app.model.search_query import relevance
from app.model.session import Session

_FEW_RUNS = 8
"""How many runs are read side by side before it is looked whether there is much to read."""

_DRIFTED = "the search index does not fit the sessions: run `scrollback doctor --repair`"

_FEW = 2000
"""How many hits are rather sorted than read from many runs side by side."""


@dataclass(frozen=True, slots=True)
class PlacedHit:
    """A message that matches, by its place in the order that was asked for."""

    bound: SearchBound

    @property
    def message_id(self) -> MessageId:
        """The message."""
        return MessageId(self.bound.session_id, self.bound.sequence)


def page_of_places(
    connection: sqlite3.Connection, request: SearchRequest, scope: Scope
) -> Page[PlacedHit]:
    """Returns which messages are on a page of hits."""
    with closing(_newest_first(connection, request, scope)) as found:
        if request.order is SearchOrder.NEWEST:
            first = islice(found, request.window.limit + 1)
            return page_of_hits(request, [_placed(text, 0) for text in first])
        newest = islice(found, RANKED)
        return page_of_hits(
            request, [_placed(text, relevance(request.query, text.normal)) for text in newest]
        )


def search_messages(
    reader: Reader, requests: Collection[SearchRequest], scope: Scope
) -> dict[SearchRequest, Page[SearchHit]]:
    """Answers pages of hits, all of one moment."""

    def read(connection: sqlite3.Connection) -> dict[SearchRequest, Page[SearchHit]]:
        pages = {one: page_of_places(connection, one, scope) for one in requests}
        found = _read_hits(reader, connection, [hit for one in pages.values() for hit in one.items])
        return {
            one: Page(
                tuple([SearchHit(*found[hit.message_id], hit.bound.score) for hit in page.items]),
                page.has_previous,
                page.has_next,
            )
            for one, page in pages.items()
        }

    return reader.at_one_moment(read)


def _read_hits(
    reader: Reader, connection: sqlite3.Connection, hits: Iterable[PlacedHit]
) -> dict[MessageId, tuple[Message, Session]]:
    wanted: dict[SessionId, set[Sequence]] = {}
    for hit in hits:
        wanted.setdefault(hit.bound.session_id, set()).add(hit.bound.sequence)
    found: dict[MessageId, tuple[Message, Session]] = {}
    for session_id, sequences in wanted.items():
        stored = find_by_id(connection, session_id)
        if stored is None:
            raise StoreUnavailable(_DRIFTED)
        messages = reader.messages_of(connection, stored, sequences)
        if len(messages) < len(sequences):
            raise Damaged(stored.name)
        found.update({one.message_id: (one, stored.session) for one in messages})
    return found


def _placed(text: FoundText, score: int) -> PlacedHit:
    created_at, session_id, sequence = text.place
    return PlacedHit(SearchBound(score, created_at, session_id, Sequence(sequence)))


def _newest_first(
    connection: sqlite3.Connection, request: SearchRequest, scope: Scope
) -> Generator[FoundText, None, None]:
    """Yields the messages that match; by time, those behind the window's own bound."""
    after = request.window.after if request.order is SearchOrder.NEWEST else None
    texts = MatchingTexts(
        connection,
        request.query,
        list(_conditions(request)),
        owner_id=scope.owner,
        session_id=request.session_id,
    )
    times = [at for at in (request.until, after and after.created_at) if at is not None]
    through = min(times, default=None)
    runs = runs_of(connection)
    if len(runs) > _FEW_RUNS:
        few = list(islice(texts.settled(), _FEW + 1))
        if len(few) <= _FEW:
            yield from heapq.merge(texts.fresh(), sorted(few, reverse=True), reverse=True)
            return
    heap: list[_Head] = []
    _push(heap, texts.fresh())
    while heap or runs:
        # A run is opened once it may have the next one.
        while runs and (not heap or heap[0].first.place <= runs[0].newest):
            _push(heap, texts.in_run(runs.pop(0), since=request.since, through=through))
        if heap:
            head = heapq.heappop(heap)
            yield head.first
            _push(heap, head.rest)


def _conditions(request: SearchRequest) -> Iterator[TextCondition]:
    yield TextCondition("t.sequence > ?", (TITLE,))
    whose = [TextCondition(*one, _OF_SESSION) for one in filter_conditions(request.sessions)]
    yield from whose
    if request.roles is not None:
        marks = ", ".join("?" * len(request.roles))
        yield TextCondition(f"t.role IN ({marks})", tuple(sorted(request.roles)))
    if request.messages is not MessageScope.ALL:
        kept = "NOT NULL" if request.messages is MessageScope.ARCHIVED else "NULL"
        yield TextCondition(f"m.archived_at IS {kept}", (), _OF_MESSAGE)
    if request.since is not None:
        yield TextCondition("t.created_at >= ?", (request.since,))
    if request.until is not None:
        yield TextCondition("t.created_at < ?", (request.until,))
    if request.order is SearchOrder.NEWEST and request.window.after is not None:
        _, *place = request.window.after
        yield TextCondition("(t.created_at, t.session_id, t.sequence) < (?, ?, ?)", tuple(place))


_OF_SESSION = "CROSS JOIN sessions s ON s.id = t.session_id"
_OF_MESSAGE = "CROSS JOIN messages m ON m.session_id = t.session_id AND m.sequence = t.sequence"


@dataclass(slots=True)
class _Head:
    """The first of some texts, with those behind it. Less is what comes first: the newest."""

    first: FoundText
    rest: Iterator[FoundText]

    def __lt__(self, other: _Head) -> bool:
        return self.first > other.first


def _push(heap: list[_Head], texts: Iterator[FoundText]) -> None:
    first = next(texts, None)
    if first is not None:
        heapq.heappush(heap, _Head(first, texts))
