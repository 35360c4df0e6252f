"""What the tests of searching are made of: requests, and what they find."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from app.backends.conformance.samples import EVERYTHING_AT_ONCE
from app.backends.protocol import EVERYTHING, Backend, Scope
from app.model.errors import ScrollbackError
from app.model.paging import Page, SessionFilter, SessionPageRequest, Window
from app.model.search import SearchHit, SearchOrder, SearchRequest
from app.model.search_query import parse_query


def asked(query: str, *, limit: int = EVERYTHING_AT_ONCE, **fields: Any) -> SearchRequest:
    """Returns a request for all messages that match, the newest first unless told otherwise."""
    fields.setdefault("order", SearchOrder.NEWEST)
    window = Window(limit, after=fields.pop("after", None))
    return SearchRequest(parse_query(query), window, **fields)


async def pages_of_hits(
    backend: Backend, requests: Collection[SearchRequest], scope: Scope = EVERYTHING
) -> dict[SearchRequest, Page[SearchHit]]:
    """Returns the pages of requests, every one of which must have an answer."""
    found = await backend.search_messages(requests, scope)
    return {request: _page(found[request]) for request in requests}


async def hits_of(
    backend: Backend, request: SearchRequest, scope: Scope = EVERYTHING
) -> Page[SearchHit]:
    """Returns the page of one request."""
    return (await pages_of_hits(backend, [request], scope))[request]


async def texts_found(
    backend: Backend, query: str, scope: Scope = EVERYTHING, **fields: Any
) -> list[str]:
    """Returns the words of the messages that match, oldest first."""
    page = await hits_of(backend, asked(query, **fields), scope)
    return [hit.message.text for hit in reversed(page.items)]


async def sessions_found(
    backend: Backend, query: str, scope: Scope = EVERYTHING, **fields: Any
) -> list[str]:
    """Returns the ids of the sessions whose title or messages match, in the order of ids."""
    wanted = SessionFilter(query=parse_query(query), **fields)
    request = SessionPageRequest(Window(EVERYTHING_AT_ONCE), wanted)
    page = (await backend.page_sessions([request], scope))[request]
    assert isinstance(page, Page), f"no page: {page!r}"
    return sorted(session.id for session in page.items)


def _page(answer: Page[SearchHit] | ScrollbackError) -> Page[SearchHit]:
    assert isinstance(answer, Page), f"no page: {answer!r}"
    return answer
