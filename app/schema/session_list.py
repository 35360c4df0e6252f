"""Pages of sessions: which sessions, in which order, from which place."""

from __future__ import annotations

import strawberry
from msgspec import Struct

from app.model import session as model
from app.model.errors import InvalidInput
from app.model.paging import (
    Page,
    SessionBound,
    SessionFilter,
    SessionOrderField,
    SessionPageRequest,
    ordering_value,
)
from app.model.timestamps import Timestamp
from app.rules.limits import Limits
from app.rules.paging import choose_window
from app.rules.search import check_search_query
from app.rules.text import check_text
from app.schema.connection import PageEnds, PageInfo
from app.schema.context import Info
from app.schema.cursors import decode_session_cursor, encode_session_cursor
from app.schema.enums import OrderDirection
from app.schema.field import field
from app.schema.global_id import decode_agent_id, decode_profile_id
from app.schema.selection import FieldsOfEdges
from app.schema.session import Session

_FIELDS = FieldsOfEdges(Session, model.Session)


class SessionOrder(Struct, frozen=True):
    """An order of sessions."""

    field: SessionOrderField = SessionOrderField.LAST_ACTIVITY
    descending: bool = True


NEWEST_FIRST = SessionOrder()


class OrderedSession(Struct, frozen=True):
    """A session in an order: what an edge is made from."""

    session: model.Session
    order: SessionOrder = NEWEST_FIRST


class SessionList(Struct, frozen=True):
    """A page of sessions in an order: what a connection is made from."""

    page: Page[model.Session]
    order: SessionOrder


@strawberry.input(
    name="SessionFilter", description="Which sessions. What is left out or null does not matter."
)
class SessionFilterInput:
    """A filter as a client gives it."""

    archived: bool | None = strawberry.field(
        default=None, description="Only sessions that are, or are not, put away."
    )
    pinned: bool | None = strawberry.field(
        default=None, description="Only sessions that are, or are not, pinned."
    )
    starred: bool | None = strawberry.field(
        default=None, description="Only sessions that are, or are not, starred."
    )
    profile_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only sessions held under this profile."
    )
    agent_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only sessions held with this agent."
    )
    channel: str | None = strawberry.field(
        default=None, description="Only sessions held on this channel."
    )
    updated_since: Timestamp | None = strawberry.field(
        default=None, description="Only sessions that changed at this moment or later."
    )
    updated_until: Timestamp | None = strawberry.field(
        default=None, description="Only sessions that last changed before this moment."
    )
    title: str | None = strawberry.field(
        default=None,
        description="Only sessions with this in their title, upper and lower case alike.",
    )
    query: str | None = strawberry.field(
        default=None,
        description=(
            "Only sessions whose title, or one of whose messages, has every term of this query; "
            "`searchMessages` tells what a term is."
        ),
    )


@strawberry.input(name="SessionOrder", description="In which order.")
class SessionOrderInput:
    """An order as a client gives it."""

    field: SessionOrderField = strawberry.field(description="By what.")
    direction: OrderDirection = strawberry.field(
        default=OrderDirection.DESC, description="Which way."
    )


@strawberry.type(description="A session's place in a list.")
class SessionEdge:
    """An edge of a list of sessions."""

    @field(description="The place, for `after` and `before` of a list in the same order.")
    @staticmethod
    def cursor(edge: strawberry.Parent[OrderedSession]) -> str:
        """Returns the session's cursor in this order."""
        return _cursor(edge.session, edge.order)

    @field(graphql_type=Session, description="The session.")
    @staticmethod
    def node(edge: strawberry.Parent[OrderedSession]) -> model.Session:
        """Returns the session."""
        return edge.session


@strawberry.type(description="A page of sessions.")
class SessionConnection:
    """A page of sessions in an order."""

    @field(graphql_type=list[SessionEdge], description="The sessions.")
    @staticmethod
    def edges(sessions: strawberry.Parent[SessionList]) -> list[OrderedSession]:
        """Returns the sessions, each with the order that its cursor depends on."""
        order = sessions.order
        return [OrderedSession(session, order) for session in sessions.page.items]

    @field(graphql_type=PageInfo, description="Where the page stands.")
    @staticmethod
    def page_info(sessions: strawberry.Parent[SessionList]) -> PageEnds[model.Session]:
        """Returns the page with its cursors, which depend on the order."""
        order = sessions.order
        return PageEnds(sessions.page, lambda session: _cursor(session, order))


async def list_sessions(
    info: Info,
    *,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
    which: SessionFilterInput | None,
    order_by: SessionOrderInput | None,
) -> SessionList:
    """Returns a page of the sessions that the caller sees. Raises InvalidInput, LimitExceeded."""
    order = NEWEST_FIRST
    if order_by is not None:
        order = SessionOrder(order_by.field, order_by.direction is OrderDirection.DESC)
    window = choose_window(
        info.context.services.limits,
        first=first,
        after=_bound(after, order, "after"),
        last=last,
        before=_bound(before, order, "before"),
    )
    request = SessionPageRequest(
        window=window,
        filter=_filter(which, info.context.services.limits),
        order=order.field,
        descending=order.descending,
        fields=_FIELDS.of(info),
    )
    page = await info.context.session_pages.load(request)
    if page is None:
        raise LookupError("the store gave no answer to a request for sessions")
    return SessionList(page, order)


def _bound(cursor: str | None, order: SessionOrder, argument: str) -> SessionBound | None:
    if cursor is None:
        return None
    return decode_session_cursor(cursor, order.field, order.descending, (argument,))


def _cursor(session: model.Session, order: SessionOrder) -> str:
    value = ordering_value(session, order.field)
    return encode_session_cursor(session.id, value, order.field, order.descending)


def _filter(given: SessionFilterInput | None, limits: Limits) -> SessionFilter:
    if given is None:
        return SessionFilter()
    for text, name in ((given.channel, "channel"), (given.title, "title")):
        if text is not None:
            check_text(text, ("filter", name))
    profile_id, agent_id = given.profile_id, given.agent_id
    since, until = given.updated_since, given.updated_until
    if since is not None and until is not None and since >= until:
        raise InvalidInput("updatedUntil has to be after updatedSince.", ("filter", "updatedUntil"))
    return SessionFilter(
        archived=given.archived,
        pinned=given.pinned,
        starred=given.starred,
        profile_id=None
        if profile_id is None
        else decode_profile_id(profile_id, ("filter", "profileId")),
        agent_id=None if agent_id is None else decode_agent_id(agent_id, ("filter", "agentId")),
        channel=given.channel,
        updated_since=since,
        updated_until=until,
        title=given.title,
        query=None
        if given.query is None
        else check_search_query(given.query, ("filter", "query"), limits),
    )
