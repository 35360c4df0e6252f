"""Defects in what is found: terms, orders, scopes, an index that is behind."""

from __future__ import annotations

import dataclasses

from app.backends.protocol import EVERYTHING, Scope
from app.model.identifiers import MessageId, Sequence, SessionId
from app.model.message import Message, MessageScope
from app.model.paging import Page, Window
from app.model.search import RANKED, SearchBound, SearchHit, SearchOrder, SearchRequest
from app.model.search_query import SearchQuery, SearchTerm, matches
from app.model.search_text import normal_text, normalize
from app.model.session import Session
from tests.conformance.planted.bug import PlantedBug
from tests.conformance.reference import ReferenceStore

EVERY_HIT: Window[SearchBound] = Window(1_000_000)


class PartsOfShortWords(PlantedBug):
    """Finds short words within others."""

    red = "test_every_query_finds_what_has_its_terms"

    def page_of_hits(self, request: SearchRequest, scope: Scope) -> Page[SearchHit]:
        terms = tuple(SearchTerm(term.text, whole_word=False) for term in request.query.terms)
        return super().page_of_hits(dataclasses.replace(request, query=SearchQuery(terms)), scope)


class OneCharacterMissed(PlantedBug):
    """Finds nothing by a single CJK character, as an index of bigrams."""

    red = "test_every_query_finds_what_has_its_terms"

    def page_of_hits(self, request: SearchRequest, scope: Scope) -> Page[SearchHit]:
        if any(len(term.text) == 1 and not term.whole_word for term in request.query.terms):
            return Page((), has_previous=False, has_next=False)
        return super().page_of_hits(request, scope)


class AnyTerm(PlantedBug):
    """Finds messages that have one of the terms."""

    red = "test_many_terms_must_all_be_there"

    def page_of_hits(self, request: SearchRequest, scope: Scope) -> Page[SearchHit]:
        first = SearchQuery(request.query.terms[:1])
        return super().page_of_hits(dataclasses.replace(request, query=first), scope)


class EndOfLongTextFound(PlantedBug):
    """Searches the whole of a long message."""

    red = "test_the_first_characters_of_a_long_message_are_searched"

    def page_of_hits(self, request: SearchRequest, scope: Scope) -> Page[SearchHit]:
        page = super().page_of_hits(request, scope)
        beyond = tuple(
            SearchHit(message, stored.session)
            for stored in self.store.sessions.values()
            if stored.session is not None
            for message in stored.messages.values()
            if matches(request.query, normalize(message.text))
            and not matches(request.query, normal_text(message.parts))
        )
        return Page(page.items + beyond, page.has_previous, page.has_next)


class ScopeIgnoredBySearch(PlantedBug):
    """Finds what anybody said."""

    red = "test_others_messages_are_not_found"

    def page_of_hits(self, request: SearchRequest, scope: Scope) -> Page[SearchHit]:
        return super().page_of_hits(request, EVERYTHING)


class ArchiveForgotten(PlantedBug):
    """Searches active messages alone."""

    red = "test_every_filter_leaves_what_is_meant"

    def page_of_hits(self, request: SearchRequest, scope: Scope) -> Page[SearchHit]:
        if request.messages is MessageScope.ALL:
            request = dataclasses.replace(request, messages=MessageScope.ACTIVE)
        return super().page_of_hits(request, scope)


class UntilInclusive(PlantedBug):
    """Takes the end of a span of time for a part of it."""

    red = "test_every_filter_leaves_what_is_meant"

    def page_of_hits(self, request: SearchRequest, scope: Scope) -> Page[SearchHit]:
        if request.until is not None:
            later = type(request.until)(f"{request.until}+")
            request = dataclasses.replace(request, until=later)
        return super().page_of_hits(request, scope)


class HitsByTimeAlone(PlantedBug):
    """Goes on after all hits of the same time."""

    red = "test_walking_from_the_newest_meets_every_hit_once"

    def page_of_hits(self, request: SearchRequest, scope: Scope) -> Page[SearchHit]:
        window = request.window
        if window.after is not None:
            after = window.after._replace(session_id=SessionId(""), sequence=Sequence(0))
            window = Window(window.limit, after=after)
        return super().page_of_hits(dataclasses.replace(request, window=window), scope)


class FullPageOfHits(PlantedBug):
    """Takes a full page of hits for a sign that there are more."""

    red = "test_walking_from_the_newest_meets_every_hit_once"

    def page_of_hits(self, request: SearchRequest, scope: Scope) -> Page[SearchHit]:
        page = super().page_of_hits(request, scope)
        return Page(page.items, page.has_previous, len(page.items) == request.window.limit)


class EveryHitRanked(PlantedBug):
    """Ranks the old hits with the new."""

    red = "test_the_newest_hits_alone_are_ranked"

    def page_of_hits(self, request: SearchRequest, scope: Scope) -> Page[SearchHit]:
        page = super().page_of_hits(request, scope)
        if request.order is SearchOrder.RELEVANCE and len(page.items) == RANKED:
            newest = dataclasses.replace(request, order=SearchOrder.NEWEST, window=EVERY_HIT)
            return super().page_of_hits(newest, scope)
        return page


class RelevanceUnordered(PlantedBug):
    """Orders by time what was asked for by relevance."""

    red = "test_by_relevance_the_best_come_first_and_the_newest_among_equals"

    def page_of_hits(self, request: SearchRequest, scope: Scope) -> Page[SearchHit]:
        return super().page_of_hits(dataclasses.replace(request, order=SearchOrder.NEWEST), scope)


class IndexBehind(PlantedBug):
    """Finds messages by what they said when they were first searched."""

    red = "test_a_change_is_found_at_once_and_after_reopening"

    def __init__(self, store: ReferenceStore | None = None) -> None:
        super().__init__(store)
        self.indexed: dict[MessageId, Message] = {}

    def page_of_hits(self, request: SearchRequest, scope: Scope) -> Page[SearchHit]:
        every = [stored.messages for stored in self.store.sessions.values()]
        for messages in every:
            for sequence, message in messages.items():
                messages[sequence] = self.indexed.setdefault(message.message_id, message)
        return super().page_of_hits(request, scope)


class TitleNotSearched(PlantedBug):
    """Finds sessions by their messages alone."""

    red = "test_a_session_is_found_by_its_title_or_by_a_message"

    def mentions(self, session: Session, query: SearchQuery | None) -> bool:
        return query is None or any(
            matches(query, normal_text(message.parts))
            for message in self.store.sessions[session.id].messages.values()
        )


class TermsInSeveralMessages(PlantedBug):
    """Finds sessions that have each term somewhere."""

    red = "test_a_session_is_found_by_its_title_or_by_a_message"

    def mentions(self, session: Session, query: SearchQuery | None) -> bool:
        return query is None or all(
            super(TermsInSeveralMessages, self).mentions(session, SearchQuery((term,)))
            for term in query.terms
        )
