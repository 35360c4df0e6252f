"""Pages of sessions by keyset, in one statement each, exact flags included.

A statement is built once for each shape of request: which bounds and filters it has, not their
values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    bindparam,
    false,
    literal,
    literal_column,
    select,
    true,
)

from app.backends.protocol import Scope
from app.backends.sql.dialects.dialect import UNREAD, Dialect
from app.backends.sql.packed import pack_paged_sessions
from app.backends.sql.prepared import Query
from app.backends.sql.rows import SESSION_COLUMNS, columns_of, to_session
from app.backends.sql.session_filters import (
    NO_FILTER,
    FilterShape,
    conditions_of,
    parameters_of,
    shape_of,
)
from app.backends.sql.tables import sessions
from app.model.paging import (
    Page,
    SessionBound,
    SessionFilter,
    SessionOrderField,
    SessionPageRequest,
    Take,
    cut_page,
)
from app.model.session import Session

_NO_LOOKUP: Mapping[str, Any] = {}

_ORDER_COLUMNS: dict[SessionOrderField, str] = {
    SessionOrderField.LAST_ACTIVITY: "last_activity_at",
    SessionOrderField.CREATED: "created_at",
    SessionOrderField.TITLE: "title_order",
}
_ORDER_INDEXES: dict[SessionOrderField, str] = {
    SessionOrderField.LAST_ACTIVITY: "activity",
    SessionOrderField.CREATED: "created",
    SessionOrderField.TITLE: "title",
}


class _Shape(NamedTuple):
    """What makes two requests different statements."""

    take: Take
    size: int
    """How many rows at most. Written into the statement: a planner must know that they are few."""
    after: bool
    before: bool
    order: SessionOrderField
    descending: bool
    filter: FilterShape
    walk: Walk | None
    fields: frozenset[str] | None
    packed: bool = False


class Walk(NamedTuple):
    """How the sessions of a page are read that has to be looked at one by one."""

    inclusive: bool
    """Whether the window's bounds are within it."""
    looks_up: bool
    """Whether the search index tells which sessions come into question."""


def page_of_sessions(
    dialect: Dialect,
    request: SessionPageRequest,
    scope: Scope,
    *,
    walk: Walk | None = None,
    lookup: Mapping[str, Any] = _NO_LOOKUP,
    packed: bool = False,
) -> Query:
    """Returns the statement of a page; `packed`, its rows as one JSON text.

    With `walk`, the statement of sessions that may match the request's query, which `lookup`
    holds the parameters of; then nothing is said of what lies beyond the bounds.

    Rows: whether something lies beyond the bound before and behind, then `SESSION_COLUMNS` with
    the fields that are asked for (nulls where the page is empty), in the order in which the page
    is taken; one item more than the limit where there is more. Without bounds an empty page has
    no row.
    """
    window, wanted = request.window, request.filter
    shape = _Shape(
        window.take,
        window.limit + 1,
        window.after is not None,
        window.before is not None,
        request.order,
        request.descending,
        shape_of(wanted, scope),
        walk,
        request.fields,
        packed,
    )
    return _statement(dialect, shape), {**_parameters(request, scope), **lookup}


def to_session_page(request: SessionPageRequest, rows: Sequence[Sequence[Any]]) -> Page[Session]:
    """Returns the page of the statement's rows."""
    given = [(row[0], row[1], None if row[2] is None else to_session(row[2:])) for row in rows]
    return cut_session_page(request, given)


def cut_session_page(
    request: SessionPageRequest, rows: Sequence[tuple[int, int, Session | None]]
) -> Page[Session]:
    """Returns the page of its rows: whether something lies before and behind, and a session."""
    before, behind = (bool(rows[0][0]), bool(rows[0][1])) if rows else (False, False)
    found = [session for _, _, session in rows if session is not None]
    window = request.window
    if window.take is Take.LAST:
        found.reverse()
    return cut_page(found, window.limit, window.take, before=before, behind=behind)


def takes_long(wanted: SessionFilter) -> bool:
    """Answers whether a filter may pass over many sessions before a page is full."""
    return wanted != NO_FILTER


def _parameters(request: SessionPageRequest, scope: Scope) -> dict[str, Any]:
    window = request.window
    parameters = parameters_of(request.filter, scope)
    for name, bound in (("after", window.after), ("before", window.before)):
        if bound is not None:
            parameters[f"{name}_value"], parameters[f"{name}_id"] = bound
    return parameters


@lru_cache(maxsize=256)
def _statement(dialect: Dialect, shape: _Shape) -> Select[Any]:
    if shape.packed:
        return pack_paged_sessions(_statement(dialect, shape._replace(packed=False)))
    conditions = conditions_of(dialect, sessions, shape.filter)
    walk = shape.walk
    if walk is not None and walk.looks_up:
        conditions.append(sessions.c.id.in_(dialect.search.mentioning()))
    place = _place(sessions, shape)
    after, before = _bound(shape, "after"), _bound(shape, "before")
    inclusive = walk is not None and walk.inclusive
    if after is not None:
        forward = not shape.descending
        conditions.append(dialect.past(place, after, forward=forward, inclusive=inclusive))
    if before is not None:
        forward = shape.descending
        conditions.append(dialect.past(place, before, forward=forward, inclusive=inclusive))
    descending = shape.descending is not (shape.take is Take.LAST)
    read = _columns(shape)
    if walk is not None or (after is None and before is None):
        nothing = (false().label("has_before"), false().label("has_behind"))
        alone = select(*nothing, *read).where(*conditions)
        return _by_index(
            dialect, alone.order_by(*_directed(place, descending=descending)), sessions, shape
        ).limit(literal_column(str(shape.size)))
    items = (
        select(*read, place[0].label("place"))
        .where(*conditions)
        .order_by(*_directed(place, descending=descending))
        .limit(literal_column(str(shape.size)))
    )
    page = _by_index(dialect, items, sessions, shape).subquery("page")
    one = select(literal(1).label("one")).subquery("one")
    return (
        select(
            _anything(dialect, shape, after, forward=shape.descending),
            _anything(dialect, shape, before, forward=not shape.descending),
            *[page.c[column.name] for column in SESSION_COLUMNS],
        )
        .select_from(one.outerjoin(page, true()))
        .order_by(*_directed((page.c.place, page.c.id), descending=descending))
    )


def _columns(shape: _Shape) -> list[ColumnElement[Any]]:
    wanted = columns_of(shape.fields, "id", _ORDER_COLUMNS[shape.order], "title")
    return [
        column
        if wanted is None or column.name in wanted
        else literal_column(UNREAD.get(column.name, "NULL"), column.type).label(column.name)
        for column in SESSION_COLUMNS
    ]


def _bound(shape: _Shape, name: str) -> SessionBound | None:
    """Returns a bound as parameters, None where the request has none."""
    if not getattr(shape, name):
        return None
    value, identity = _place(sessions, shape)
    given: Any = (
        bindparam(f"{name}_value", type_=value.type),
        bindparam(f"{name}_id", type_=identity.type),
    )
    return SessionBound(*given)


def _place(table: FromClause, shape: _Shape) -> tuple[Any, Any]:
    return table.c[_ORDER_COLUMNS[shape.order]], table.c.id


def _by_index(
    dialect: Dialect, statement: Select[Any], table: FromClause, shape: _Shape
) -> Select[Any]:
    """Reads by the index of the order, with the owner in front where one is given."""
    name = _ORDER_INDEXES[shape.order]
    index = f"ix_sessions_owner_{name}" if shape.filter.scoped else f"ix_sessions_{name}"
    return dialect.by_index(statement, table, index)


def _directed(place: tuple[Any, Any], *, descending: bool) -> list[ColumnElement[Any]]:
    return [column.desc() if descending else column.asc() for column in place]


def _anything(
    dialect: Dialect, shape: _Shape, bound: SessionBound | None, *, forward: bool
) -> ColumnElement[bool]:
    if bound is None:
        return false()
    others = sessions.alias("others")
    # In order, and its first row asked for: PostgreSQL answers a mere EXISTS by reading the table
    # until something fits, which may be its last row.
    place = _place(others, shape)
    first = (
        select(literal(1))
        .select_from(others)
        .where(
            *conditions_of(dialect, others, shape.filter),
            dialect.past(place, bound, forward=forward, inclusive=True),
        )
        .order_by(*_directed(place, descending=not forward))
        .limit(1)
    )
    return _by_index(dialect, first, others, shape).scalar_subquery().is_not(None)
