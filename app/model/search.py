"""Searching messages: what is asked of a backend, and what it answers.

`search_text` has the form in which texts are compared, `search_query` the query and what matches.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeVar

from app.model.identifiers import Sequence, SessionId
from app.model.message import Message, MessageRole, MessageScope
from app.model.paging import Page, SessionFilter, Take, Window, cut_page
from app.model.search_query import SearchQuery
from app.model.session import Session
from app.model.timestamps import Timestamp

RANKED = 1000
"""How many hits are ranked by relevance: the newest ones."""


class SearchOrder(StrEnum):
    """What hits are ordered by: how well they answer the query, or their time. Best first."""

    RELEVANCE = "relevance"
    NEWEST = "newest"


class SearchBound(NamedTuple):
    """A place in an order of hits, which runs from the greatest bound to the least.

    `score` is `relevance`, or 0 where hits are ordered by time.
    """

    score: int
    created_at: Timestamp
    session_id: SessionId
    sequence: Sequence


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """Asks for a page of the messages that match a query, from the order's beginning.

    The window is taken from its first end and has no `before`; `has_previous` of the answer is
    whether it has an `after`, `has_next` is exact. By relevance the newest `RANKED` hits alone
    are ranked and answered.

    The query can be looked up: it has `query_grams`.

    What is None does not matter. `sessions` tells whose messages are searched (and has no query
    of its own), `since` (inclusive) and `until` (exclusive) when they were said.
    """

    query: SearchQuery
    window: Window[SearchBound]
    order: SearchOrder = SearchOrder.RELEVANCE
    sessions: SessionFilter = field(default_factory=SessionFilter)
    session_id: SessionId | None = None
    roles: frozenset[MessageRole] | None = None
    messages: MessageScope = MessageScope.ALL
    since: Timestamp | None = None
    until: Timestamp | None = None


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A message that matches, and the session that it was said in.

    `score` is the message's `relevance`, or 0 where hits are ordered by time.
    """

    message: Message
    session: Session
    score: int = 0

    @property
    def bound(self) -> SearchBound:
        """The hit's place in its order."""
        message = self.message
        return SearchBound(self.score, message.created_at, message.session_id, message.sequence)


class Placed(Protocol):
    """A hit, or what stands for one."""

    @property
    def bound(self) -> SearchBound:
        """The hit's place in its order."""
        ...


PlacedT = TypeVar("PlacedT", bound=Placed)


def page_of_hits(request: SearchRequest, hits: Iterable[PlacedT]) -> Page[PlacedT]:
    """Returns the page of the hits read for a request, in any order, with their scores.

    By relevance these are the newest `RANKED` hits; by time they are the first hits after the
    window's own bound, at least one more than its limit where there are so many.
    """
    window = request.window
    behind = [hit for hit in hits if window.after is None or hit.bound < window.after]
    behind.sort(key=lambda hit: hit.bound, reverse=True)
    first = behind[: window.limit + 1]
    return cut_page(first, window.limit, Take.FIRST, before=window.after is not None, behind=False)
