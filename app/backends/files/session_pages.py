"""Pages of sessions by keyset, from the index."""

from __future__ import annotations

import sqlite3
from typing import Any

from app.backends.files.catalogue import stored_of
from app.backends.protocol import Scope
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

# Each is served by an index of its column and id, with the owner in front where one is given.
_COLUMNS = {
    SessionOrderField.LAST_ACTIVITY: "last_activity_at",
    SessionOrderField.CREATED: "created_at",
    SessionOrderField.TITLE: "title_order",
}


def page_of_sessions(
    connection: sqlite3.Connection, request: SessionPageRequest, scope: Scope
) -> Page[Session]:
    """Returns one page. Raises `Damaged`."""
    window = request.window
    column = _COLUMNS[request.order]
    conditions, values = _conditions(request, scope)
    forward, backward = ("<", ">") if request.descending else (">", "<")
    bounded, inside = list(conditions), list(values)
    for bound, direction in ((window.after, forward), (window.before, backward)):
        if bound is not None:
            bounded.append(f"({column}, id) {direction} (?, ?)")
            inside += bound
    from_end = window.take is Take.LAST
    order = "DESC" if request.descending is not from_end else "ASC"
    rows = connection.execute(
        f"SELECT state, crc, name, file FROM sessions {_where(bounded)} "  # noqa: S608 - ours
        f"ORDER BY {column} {order}, id {order} LIMIT ?",
        (*inside, window.limit + 1),
    ).fetchall()
    found = [stored_of(row).session for row in rows]
    if from_end:
        found.reverse()

    def anything(bound: SessionBound | None, direction: str) -> bool:
        if bound is None:
            return False
        past = [*conditions, f"({column}, id) {direction}= (?, ?)"]
        statement = f"SELECT 1 FROM sessions {_where(past)} LIMIT 1"  # noqa: S608 - ours
        return connection.execute(statement, (*values, *bound)).fetchone() is not None

    return cut_page(
        found,
        window.limit,
        window.take,
        before=anything(window.after, backward),
        behind=anything(window.before, forward),
    )


def _where(conditions: list[str]) -> str:
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def _conditions(request: SessionPageRequest, scope: Scope) -> tuple[list[str], list[Any]]:
    wanted = request.filter
    conditions: list[str] = []
    values: list[Any] = []

    def add(condition: str, value: Any) -> None:
        conditions.append(condition)
        values.append(value)

    if scope.owner is not None:
        add("owner_id = ?", scope.owner)
    for name in ("archived", "pinned", "starred"):
        flag: bool | None = getattr(wanted, name)
        if flag is not None:
            add(f"{name} = ?", flag)
    for name in ("profile_id", "agent_id", "channel"):
        value: str | None = getattr(wanted, name)
        if value is not None:
            add(f"{name} = ?", value)
    if wanted.updated_since is not None:
        add("updated_at >= ?", wanted.updated_since)
    if wanted.updated_until is not None:
        add("updated_at < ?", wanted.updated_until)
    if wanted.title:
        add("instr(title_order, ?) > 0", title_order(wanted.title))
    return conditions, values
