"""What the reference model finds: by looking at every place of every message."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from app.model.message import Message, MessageScope
from app.model.paging import Page
from app.model.search import RANKED, SearchBound, SearchHit, SearchOrder, SearchRequest
from app.model.search_query import SearchQuery, SearchTerm, relevance
from app.model.search_text import normal_text
from app.model.session import Session


def page_of_matches(
    messages: Iterable[tuple[Session, Message]], request: SearchRequest
) -> Page[SearchHit]:
    """Returns the page of a request from the messages of the sessions that it is about."""
    found = [
        (message.created_at, message.session_id, message.sequence, session, message)
        for session, message in messages
        if is_meant(message, request) and has_every_term(request.query, normal_text(message.parts))
    ]
    newest = sorted(found, key=lambda match: match[:3], reverse=True)
    if request.order is SearchOrder.RELEVANCE:
        scored = [(*match, score_of(request, match[4])) for match in newest[:RANKED]]
        # Sorting is stable: among equals the newest stays first.
        scored.sort(key=lambda match: -match[5])
    else:
        scored = [(*match, 0) for match in newest]
    hits = [SearchHit(message, session, score) for *_, session, message, score in scored]
    window = request.window
    if window.after is not None:
        hits = [hit for hit in hits if is_behind(hit, window.after)]
    shown = tuple(hits[: window.limit])
    return Page(shown, has_previous=window.after is not None, has_next=len(hits) > len(shown))


def score_of(request: SearchRequest, message: Message) -> int:
    """Returns how well a message answers the request's query."""
    return relevance(request.query, normal_text(message.parts))


def is_behind(hit: SearchHit, place: SearchBound) -> bool:
    """Answers whether a hit comes later in an order than a place: worse, then older."""
    if hit.score != place.score:
        return hit.score < place.score
    message = hit.message
    return (message.created_at, message.session_id, message.sequence) < place[1:]


def is_meant(message: Message, request: SearchRequest) -> bool:
    """Answers whether a message is of those that a request searches."""
    archived = message.archived_at is not None
    return all(
        (
            request.session_id in (None, message.session_id),
            request.roles is None or message.role in request.roles,
            request.messages is not MessageScope.ACTIVE or not archived,
            request.messages is not MessageScope.ARCHIVED or archived,
            request.since is None or request.since <= message.created_at,
            request.until is None or message.created_at < request.until,
        )
    )


def has_every_term(query: SearchQuery, normal: str) -> bool:
    """Answers as `app.model.search_query.matches` must."""
    return all(
        any(
            not term.whole_word or stands_alone(term, normal, place.start())
            for place in re.finditer(f"(?={re.escape(term.text)})", normal)
        )
        for term in query.terms
    )


def stands_alone(term: SearchTerm, normal: str, start: int) -> bool:
    """Answers whether a term, found there, neither begins nor ends within a word."""
    end = start + len(term.text)
    edges = normal[max(0, start - 1) : start + 1], normal[end - 1 : end + 1]
    return not any(len(edge) == 2 and all(map(is_of_a_word, edge)) for edge in edges)


def is_of_a_word(character: str) -> bool:
    """Answers whether a character is a letter or a digit of a script with words."""
    name = unicodedata.name(character, "")
    return character.isalnum() and not name.startswith(("CJK ", "HIRAGANA ", "KATAKANA", "HANGUL "))
