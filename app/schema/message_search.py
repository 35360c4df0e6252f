"""Searching messages: hits with the words around what matches."""

from __future__ import annotations

from dataclasses import dataclass

import strawberry

from app.model import message as messages
from app.model.errors import InvalidInput
from app.model.message import MessageRole, MessageScope
from app.model.paging import Page, SessionFilter, Window
from app.model.search import SearchBound, SearchHit, SearchOrder, SearchRequest
from app.model.search_query import SearchQuery
from app.model.timestamps import Timestamp
from app.rules import snippets
from app.rules.paging import choose_window
from app.rules.search import check_search_query
from app.rules.snippets import snippet_of
from app.rules.text import check_text
from app.schema.connection import PageEnds, PageInfo
from app.schema.context import Info
from app.schema.cursors import decode_search_cursor, encode_search_cursor
from app.schema.field import field
from app.schema.global_id import decode_agent_id, decode_profile_id, decode_session_id
from app.schema.message import Message


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A page of hits: what a connection is made from."""

    page: Page[SearchHit]
    query: SearchQuery
    order: SearchOrder

    def cursor(self, hit: SearchHit) -> str:
        """Returns a hit's place among those of the query."""
        return encode_search_cursor(hit.bound, self.query, self.order)


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A hit of a result: what an edge is made from."""

    hit: SearchHit
    result: SearchResult


@strawberry.input(
    name="MessageSearchFilter",
    description="Among which messages. What is left out or null does not matter.",
)
class MessageSearchFilter:
    """A filter as a client gives it."""

    session_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only messages of this session."
    )
    profile_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only messages of sessions held under this profile."
    )
    agent_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only messages of sessions held with this agent."
    )
    channel: str | None = strawberry.field(
        default=None, description="Only messages of sessions held on this channel."
    )
    session_archived: bool | None = strawberry.field(
        default=None, description="Only messages of sessions that are, or are not, put away."
    )
    pinned: bool | None = strawberry.field(
        default=None, description="Only messages of sessions that are, or are not, pinned."
    )
    starred: bool | None = strawberry.field(
        default=None, description="Only messages of sessions that are, or are not, starred."
    )
    roles: list[MessageRole] | None = strawberry.field(
        default=None, description="Only messages of these roles."
    )
    scope: MessageScope = strawberry.field(
        default=MessageScope.ALL, description="Which of a session's messages."
    )
    since: Timestamp | None = strawberry.field(
        default=None, description="Only messages said at this moment or later."
    )
    until: Timestamp | None = strawberry.field(
        default=None, description="Only messages said before this moment."
    )


@strawberry.type(
    description=(
        "A part of a snippet that matches, in UTF-16 code units: in JavaScript it is "
        "`text.slice(start, start + length)`."
    )
)
class Highlight:
    """A highlight of the rules."""

    start: int = strawberry.field(description="Where it begins; 0 is the beginning.")
    length: int = strawberry.field(description="How long it is.")


@strawberry.type(
    description=(
        "The words around the first place that matches, as they were written, about 160 "
        "characters: with white space folded, and with an ellipsis where more stands before or "
        "after them."
    )
)
class MessageSnippet:
    """A snippet of the rules."""

    text: str = strawberry.field(description="The words.")
    highlights: list[Highlight] = strawberry.field(
        description="What of them matches, from left to right; no two touch each other."
    )


@strawberry.type(description="A message that matches.")
class MessageSearchEdge:
    """An edge of a list of hits."""

    @field(description="The place, for `after` of the same query in the same order.")
    @staticmethod
    def cursor(found: strawberry.Parent[FoundMessage]) -> str:
        """Returns the hit's cursor."""
        return found.result.cursor(found.hit)

    @field(graphql_type=Message, description="The message.")
    @staticmethod
    def node(found: strawberry.Parent[FoundMessage]) -> messages.Message:
        """Returns the message."""
        return found.hit.message

    @field(graphql_type=MessageSnippet, description="What to show of it in a list.")
    @staticmethod
    def snippet(found: strawberry.Parent[FoundMessage]) -> snippets.Snippet:
        """Returns the words around the first match."""
        return snippet_of(found.result.query, found.hit.message)


@strawberry.type(description="A page of messages that match.")
class MessageSearchConnection:
    """The object behind a connection is a result."""

    @field(graphql_type=list[MessageSearchEdge], description="The messages.")
    @staticmethod
    def edges(result: strawberry.Parent[SearchResult]) -> list[FoundMessage]:
        """Returns the hits, each with what its cursor and its snippet depend on."""
        return [FoundMessage(hit, result) for hit in result.page.items]

    @field(
        graphql_type=PageInfo,
        description="Where the page stands. `hasPreviousPage` is whether `after` was given.",
    )
    @staticmethod
    def page_info(result: strawberry.Parent[SearchResult]) -> PageEnds[SearchHit]:
        """Returns the page with its cursors."""
        return PageEnds(result.page, result.cursor)


async def search_messages(
    info: Info,
    text: str,
    *,
    first: int | None,
    after: str | None,
    which: MessageSearchFilter | None,
    order: SearchOrder,
) -> SearchResult:
    """Returns a page of the messages that the caller sees. Raises InvalidInput, LimitExceeded."""
    context = info.context
    limits = context.services.limits
    query = check_search_query(text, ("query",), limits)
    bound = None if after is None else decode_search_cursor(after, query, order, ("after",))
    window = choose_window(limits, first=first, after=bound, last=None, before=None)
    page = await context.searches.load(_request(query, window, order, which))
    if page is None:
        raise LookupError("the store gave no answer to a search")
    for hit in page.items:
        context.sessions.prime(hit.session.id, hit.session)
    return SearchResult(page, query, order)


def _request(
    query: SearchQuery,
    window: Window[SearchBound],
    order: SearchOrder,
    which: MessageSearchFilter | None,
) -> SearchRequest:
    if which is None:
        return SearchRequest(query, window, order)
    if which.channel is not None:
        check_text(which.channel, ("filter", "channel"))
    if which.roles is not None and not which.roles:
        raise InvalidInput("Give at least one role, or leave roles out.", ("filter", "roles"))
    since, until = which.since, which.until
    if since is not None and until is not None and since >= until:
        raise InvalidInput("until has to be after since.", ("filter", "until"))
    session_id, profile_id, agent_id = which.session_id, which.profile_id, which.agent_id
    return SearchRequest(
        query,
        window,
        order,
        SessionFilter(
            archived=which.session_archived,
            pinned=which.pinned,
            starred=which.starred,
            profile_id=None
            if profile_id is None
            else decode_profile_id(profile_id, ("filter", "profileId")),
            agent_id=None if agent_id is None else decode_agent_id(agent_id, ("filter", "agentId")),
            channel=which.channel,
        ),
        session_id=None
        if session_id is None
        else decode_session_id(session_id, ("filter", "sessionId")),
        roles=None if which.roles is None else frozenset(which.roles),
        messages=which.scope,
        since=since,
        until=until,
    )
