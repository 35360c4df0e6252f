"""Pages of sessions by keyset, in one statement each, exact flags included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    literal,
    select,
    true,
)

from app.backends.protocol import Scope
from app.backends.sql.dialects.dialect import Dialect
from app.backends.sql.rows import SESSION_COLUMNS, to_session
from app.backends.sql.tables import sessions
from app.model.paging import (
    Page,
    SessionBound,
    SessionOrderField,
    SessionPageRequest,
    Take,
    cut_page,
    title_order,
)
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


def page_of_sessions(dialect: Dialect, request: SessionPageRequest, scope: Scope) -> Select[Any]:
    """Returns the statement of a page.

    Rows: whether something lies beyond the bound before and behind, then `SESSION_COLUMNS` (nulls
    where the page is empty); one item more than the limit where there is more.
    """
    window, descending = request.window, request.descending
    conditions = _conditions(dialect, sessions, request, scope)
    place = _place(sessions, request)
    if window.after is not None:
        conditions.append(
            dialect.past(place, window.after, forward=not descending, inclusive=False)
        )
    if window.before is not None:
        conditions.append(dialect.past(place, window.before, forward=descending, inclusive=False))
    from_end = window.take is Take.LAST
    items = (
        select(*SESSION_COLUMNS, place[0].label("place"))
        .where(*conditions)
        .order_by(*_directed(place, descending=descending is not from_end))
        .limit(window.limit + 1)
    )
    page = dialect.by_index(items, sessions, _index(request, scope)).subquery("page")
    one = select(literal(1).label("one")).subquery("one")
    return (
        select(
            _anything(dialect, request, scope, window.after, forward=descending),
            _anything(dialect, request, scope, window.before, forward=not descending),
            *[page.c[column.name] for column in SESSION_COLUMNS],
        )
        .select_from(one.outerjoin(page, true()))
        .order_by(*_directed((page.c.place, page.c.id), descending=descending))
    )


def to_session_page(request: SessionPageRequest, rows: Sequence[Sequence[Any]]) -> Page[Session]:
    """Returns the page of the statement's rows."""
    before, behind, *first = rows[0]
    found = [to_session(row[2:]) for row in rows] if first[0] is not None else []
    window = request.window
    return cut_page(found, window.limit, window.take, before=bool(before), behind=bool(behind))


def _place(table: FromClause, request: SessionPageRequest) -> tuple[Any, Any]:
    return table.c[_ORDER_COLUMNS[request.order]], table.c.id


def _index(request: SessionPageRequest, scope: Scope) -> str:
    """Returns the index of the order, with the owner in front where one is given."""
    name = _ORDER_INDEXES[request.order]
    return f"ix_sessions_{name}" if scope.owner is None else f"ix_sessions_owner_{name}"


def _directed(place: tuple[Any, Any], *, descending: bool) -> list[ColumnElement[Any]]:
    return [column.desc() if descending else column.asc() for column in place]


def _anything(
    dialect: Dialect,
    request: SessionPageRequest,
    scope: Scope,
    bound: SessionBound | None,
    *,
    forward: bool,
) -> ColumnElement[bool]:
    if bound is None:
        return literal(value=False)
    others = sessions.alias("others")
    # In order, and its first row asked for: PostgreSQL answers a mere EXISTS by reading the table
    # until something fits, which may be its last row.
    place = _place(others, request)
    first = (
        select(literal(1))
        .select_from(others)
        .where(
            *_conditions(dialect, others, request, scope),
            dialect.past(place, bound, forward=forward, inclusive=True),
        )
        .order_by(*_directed(place, descending=not forward))
        .limit(1)
    )
    first = dialect.by_index(first, others, _index(request, scope))
    return first.scalar_subquery().is_not(None)


def _conditions(
    dialect: Dialect, table: FromClause, request: SessionPageRequest, scope: Scope
) -> list[ColumnElement[bool]]:
    wanted = request.filter
    conditions: list[ColumnElement[bool]] = []
    if scope.owner is not None:
        conditions.append(table.c.owner_id == scope.owner)
    for name in ("archived", "pinned", "starred"):
        flag: bool | None = getattr(wanted, name)
        if flag is not None:
            column = table.c[f"{name}_at"]
            conditions.append(column.is_not(None) if flag else column.is_(None))
    for name in ("profile_id", "agent_id", "channel"):
        value: str | None = getattr(wanted, name)
        if value is not None:
            conditions.append(table.c[name] == value)
    if wanted.updated_since is not None:
        conditions.append(table.c.updated_at >= wanted.updated_since)
    if wanted.updated_until is not None:
        conditions.append(table.c.updated_at < wanted.updated_until)
    if wanted.title:
        conditions.append(dialect.contains(table.c.title_order, title_order(wanted.title)))
    return conditions
