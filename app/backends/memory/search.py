"""Searching a store in memory: by looking at every message."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import TypeAlias

from app.backends.memory.state import SessionState
from app.backends.memory.store import MemoryStore, passes
from app.backends.protocol import Scope
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
from app.model.search_query import matches, relevance

_Match: TypeAlias = tuple[SearchBound, SessionState, Message, str]
"""A message that matches: its place by time, its session, and its normal form."""


def search(store: MemoryStore, request: SearchRequest, scope: Scope) -> Page[SearchHit]:
    """Returns a page of the messages in scope that match."""
    found = _matching(store, request, scope)
    window = request.window
    if request.order is SearchOrder.NEWEST:
        after = window.after
        behind = (match for match in found if after is None or match[0] < after)
        newest = heapq.nlargest(window.limit + 1, behind, key=_place)
        hits = [SearchHit(message, state.session) for _, state, message, _ in newest]
    else:
        hits = [
            SearchHit(message, state.session, relevance(request.query, normal))
            for _, state, message, normal in heapq.nlargest(RANKED, found, key=_place)
        ]
    return page_of_hits(request, hits)


def _place(match: _Match) -> SearchBound:
    return match[0]


def _matching(store: MemoryStore, request: SearchRequest, scope: Scope) -> Iterator[_Match]:
    session_ids = store.ids if request.session_id is None else [request.session_id]
    for session_id in session_ids:
        state = store.access(session_id, scope)
        if state is None or not passes(state.session, request.sessions):
            continue
        for message, normal in state.with_normal_text():
            if _is_meant(message, request) and matches(request.query, normal):
                place = SearchBound(0, message.created_at, session_id, message.sequence)
                yield place, state, message, normal


def _is_meant(message: Message, request: SearchRequest) -> bool:
    return (
        (request.roles is None or message.role in request.roles)
        and (request.since is None or message.created_at >= request.since)
        and (request.until is None or message.created_at < request.until)
        and (
            request.messages is MessageScope.ALL
            or (message.archived_at is not None) is (request.messages is MessageScope.ARCHIVED)
        )
    )
