"""Pages of sessions by keyset, in one statement each, exact flags included.

A statement is built once for each shape of request: which bounds and filters it has, not their
values.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
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
from app.backends.sql.prepared import Query
from app.backends.sql.rows import SESSION_COLUMNS, columns_of, to_session
from app.backends.sql.tables import sessions
from app.model.paging import (
    Page,
    SessionBound,
    SessionFilter,
    SessionOrderField,
    SessionPageRequest,
    Take,
    cut_page,
    title_order,
)
from app.model.search_query import SearchQuery
from app.model.session import Session

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
_FLAGS = ("archived", "pinned", "starred")
_EQUAL = ("profile_id", "agent_id", "channel")


class _Shape(NamedTuple):
    """What makes two requests different statements."""

    take: Take
    after: bool
    before: bool
    order: SessionOrderField
    descending: bool
    scoped: bool
    flags: tuple[bool | None, ...]
    equal: tuple[bool, ...]
    updated: tuple[bool, bool]
    title: bool
    query: SearchQuery | None
    fields: frozenset[str] | None


def page_of_sessions(dialect: Dialect, request: SessionPageRequest, scope: Scope) -> Query:
    """Returns the statement of a page.

    Rows: whether something lies beyond the bound before and behind, then `SESSION_COLUMNS` with
    the fields that are asked for (nulls where the page is empty), in the order in which the page
    is taken; one item more than the limit where there is more. Without bounds an empty page has
    no row.
    """
    window, wanted = request.window, request.filter
    shape = _Shape(
        window.take,
        window.after is not None,
        window.before is not None,
        request.order,
        request.descending,
        scope.owner is not None,
        tuple([getattr(wanted, name) for name in _FLAGS]),
        tuple([getattr(wanted, name) is not None for name in _EQUAL]),
        (wanted.updated_since is not None, wanted.updated_until is not None),
        bool(wanted.title),
        wanted.query,
        request.fields,
    )
    return _statement(dialect, shape), _parameters(request, scope)


def to_session_page(request: SessionPageRequest, rows: Sequence[Sequence[Any]]) -> Page[Session]:
    """Returns the page of the statement's rows."""
    before, behind = (bool(rows[0][0]), bool(rows[0][1])) if rows else (False, False)
    found = [to_session(row[2:]) for row in rows if row[2] is not None]
    window = request.window
    if window.take is Take.LAST:
        found.reverse()
    return cut_page(found, window.limit, window.take, before=before, behind=behind)


def takes_long(wanted: SessionFilter) -> bool:
    """Answers whether a filter may pass over many sessions before a page is full."""
    return wanted != _NO_FILTER


_NO_FILTER = SessionFilter()


def _parameters(request: SessionPageRequest, scope: Scope) -> dict[str, Any]:
    window, wanted = request.window, request.filter
    parameters: dict[str, Any] = {"size": window.limit + 1}
    if scope.owner is not None:
        parameters["owner"] = scope.owner
    for name, bound in (("after", window.after), ("before", window.before)):
        if bound is not None:
            parameters[f"{name}_value"], parameters[f"{name}_id"] = bound
    if wanted is not _NO_FILTER:
        parameters |= {name: getattr(wanted, name) for name in _EQUAL}
        parameters["updated_since"] = wanted.updated_since
        parameters["updated_until"] = wanted.updated_until
        parameters["title"] = title_order(wanted.title)
    return parameters


@lru_cache(maxsize=256)
def _statement(dialect: Dialect, shape: _Shape) -> Select[Any]:
    conditions = _conditions(dialect, sessions, shape)
    place = _place(sessions, shape)
    after, before = _bound(shape, "after"), _bound(shape, "before")
    if after is not None:
        conditions.append(dialect.past(place, after, forward=not shape.descending, inclusive=False))
    if before is not None:
        conditions.append(dialect.past(place, before, forward=shape.descending, inclusive=False))
    descending = shape.descending is not (shape.take is Take.LAST)
    read = _columns(shape)
    if after is None and before is None:
        nothing = (false().label("has_before"), false().label("has_behind"))
        alone = select(*nothing, *read).where(*conditions)
        return _by_index(
            dialect, alone.order_by(*_directed(place, descending=descending)), sessions, shape
        ).limit(_size())
    items = (
        select(*read, place[0].label("place"))
        .where(*conditions)
        .order_by(*_directed(place, descending=descending))
        .limit(_size())
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


def _size() -> ColumnElement[int]:
    return bindparam("size", type_=Integer)


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
    index = f"ix_sessions_owner_{name}" if shape.scoped else f"ix_sessions_{name}"
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
            *_conditions(dialect, others, shape),
            dialect.past(place, bound, forward=forward, inclusive=True),
        )
        .order_by(*_directed(place, descending=not forward))
        .limit(1)
    )
    return _by_index(dialect, first, others, shape).scalar_subquery().is_not(None)


def _conditions(dialect: Dialect, table: FromClause, shape: _Shape) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []

    def given(name: str, column: str) -> ColumnElement[Any]:
        return bindparam(name, type_=table.c[column].type)

    if shape.scoped:
        conditions.append(table.c.owner_id == given("owner", "owner_id"))
    for name, flag in zip(_FLAGS, shape.flags, strict=True):
        if flag is not None:
            column = table.c[f"{name}_at"]
            conditions.append(column.is_not(None) if flag else column.is_(None))
    for name, present in zip(_EQUAL, shape.equal, strict=True):
        if present:
            conditions.append(table.c[name] == given(name, name))
    since, until = shape.updated
    if since:
        conditions.append(table.c.updated_at >= given("updated_since", "updated_at"))
    if until:
        conditions.append(table.c.updated_at < given("updated_until", "updated_at"))
    if shape.title:
        conditions.append(dialect.contains(table.c.title_order, given("title", "title_order")))
    return conditions
