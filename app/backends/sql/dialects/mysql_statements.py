"""The statements of MariaDB and MySQL that are written out. What is asked for comes in as values.

MariaDB has no lateral join, and reads the whole session where a range of its messages comes from
another table: what pages and logs ask for is therefore one SELECT a request, joined by UNION ALL
into one statement, so that every range is one of constants.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import TextClause, text

from app.backends.sql.dialects.dialect import NO_BOUND, Bound, PageShape, columns
from app.backends.sql.rows import (
    EVENT_COLUMNS,
    IDEMPOTENCY_COLUMNS,
    MESSAGE_COLUMNS,
    SESSION_COLUMNS,
)
from app.model.paging import Take


def joined(statement: TextClause, rows: Sequence[tuple[Any, ...]], owner: str | None) -> Bound:
    """Returns a statement with its rows as JSON."""
    parameters: dict[str, Any] = {"rows": orjson.dumps(rows).decode()}
    if owner is not None:
        parameters["owner"] = owner
    return statement, parameters


def united(
    statement: TextClause,
    rows: Sequence[tuple[Any, ...]],
    names: tuple[str, ...],
    owner: str | None,
) -> Bound:
    """Returns a statement with the values of its requests, each by a name and its number."""
    parameters = {
        f"{name}{number}": value
        for number, row in enumerate(rows)
        for name, value in zip(names, row, strict=True)
    }
    if owner is not None:
        parameters["owner"] = owner
    return statement, parameters


def _in_scope(scoped: bool) -> str:
    return "AND s.owner_id = :owner" if scoped else ""


def _key(name: str, length: int, place: int, collation: str) -> str:
    # In the collation of the tables: compared in another, their indexes would not serve.
    kind = f"VARCHAR({length}) CHARACTER SET utf8mb4 COLLATE {collation}"
    return f"{name} {kind} PATH '$[{place}]'"


@lru_cache(maxsize=4)
def lock_sessions(collation: str, wait: bool) -> TextClause:
    """Returns the statement of `Dialect.lock_sessions`."""
    return text(
        f"""
        SELECT r.owner_id, {columns(SESSION_COLUMNS, "s")}, s.archived_through
        FROM JSON_TABLE(:rows, '$[*]' COLUMNS (
            {_key("id", 32, 0, collation)}, {_key("owner_id", 200, 1, collation)})) r
        STRAIGHT_JOIN sessions s ON s.id = r.id
        AND (r.owner_id IS NULL OR s.owner_id = r.owner_id)
        FOR UPDATE {"" if wait else "SKIP LOCKED"}
        """  # noqa: S608 - nothing in it comes from a client
    )


@lru_cache(maxsize=2)
def find_attempts(collation: str) -> TextClause:
    """Returns the statement of `Dialect.find_attempts`."""
    return text(
        f"""
        SELECT {columns(IDEMPOTENCY_COLUMNS, "k")}
        FROM JSON_TABLE(:rows, '$[*]' COLUMNS (
            {_key("session_id", 32, 0, collation)}, {_key("name", 255, 1, collation)})) r
        STRAIGHT_JOIN idempotency_keys k ON k.session_id = r.session_id AND k.key = r.name
        """  # noqa: S608 - nothing in it comes from a client
    )


@lru_cache(maxsize=4)
def find_sessions(collation: str, scoped: bool) -> TextClause:
    """Returns the statement of `Dialect.find_sessions`."""
    return text(
        f"""
        SELECT {columns(SESSION_COLUMNS, "s")}
        FROM JSON_TABLE(:rows, '$[*]' COLUMNS (
            {_key("owner_id", 200, 0, collation)}, {_key("name", 512, 1, collation)})) r
        STRAIGHT_JOIN sessions s ON s.owner_id = r.owner_id AND s.key = r.name {_in_scope(scoped)}
        """  # noqa: S608 - nothing in it comes from a client
    )


@lru_cache(maxsize=4)
def get_messages(collation: str, scoped: bool) -> TextClause:
    """Returns the statement of `Dialect.get_messages`."""
    return text(
        f"""
        SELECT {columns(MESSAGE_COLUMNS, "m")}
        FROM JSON_TABLE(:rows, '$[*]' COLUMNS (
            {_key("session_id", 32, 0, collation)}, sequence BIGINT PATH '$[1]')) r
        STRAIGHT_JOIN sessions s ON s.id = r.session_id {_in_scope(scoped)}
        STRAIGHT_JOIN messages m ON m.session_id = s.id AND m.sequence = r.sequence
        """  # noqa: S608 - nothing in it comes from a client
    )


@lru_cache(maxsize=256)
def page_messages(shape: PageShape, count: int, scoped: bool) -> TextClause:
    """Returns the statement of `Dialect.page_messages` for so many requests."""
    take, limit, wanted = shape
    direction = "DESC" if take is Take.LAST else "ASC"
    selects = []
    for n in range(count):
        low = f"IF(:archive{n} = 1, archived_through, 0)"
        high = f"IF(:archive{n} = 2, archived_through, {NO_BOUND})"
        border = f"FROM sessions WHERE id = :session{n}"
        # The page is a table of its own: ordered after the join, all messages would be read.
        selects.append(
            f"""(
            SELECT {n} AS number,
                   :after{n} > 0 AND EXISTS (
                       SELECT 1 FROM messages b WHERE b.session_id = :session{n}
                       AND b.sequence > {low} AND b.sequence <= LEAST(:after{n}, {high})),
                   :before{n} < {NO_BOUND} AND EXISTS (
                       SELECT 1 FROM messages b WHERE b.session_id = :session{n}
                       AND b.sequence > GREATEST(:before{n} - 1, {low}) AND b.sequence <= {high}),
                   {columns(MESSAGE_COLUMNS, "m", wanted)}
            FROM sessions s LEFT JOIN (
                SELECT * FROM messages i WHERE i.session_id = :session{n}
                AND i.sequence > GREATEST(:after{n}, (SELECT {low} {border}))
                AND i.sequence < LEAST(:before{n}, (SELECT {high} + 1 {border}))
                ORDER BY i.sequence {direction} LIMIT {limit + 1}) m ON TRUE
            WHERE s.id = :session{n} {_in_scope(scoped)})"""  # noqa: S608 - as above
        )
    return text("\nUNION ALL\n".join(selects))


@lru_cache(maxsize=128)
def read_logs(count: int, scoped: bool) -> TextClause:
    """Returns the statement of `Dialect.read_logs` for so many reads."""
    selects = []
    for n in range(count):
        gap = f"(COALESCE(:epoch{n} <> s.epoch, FALSE) OR :after{n} > s.revision)"
        selects.append(
            f"""(
            SELECT {n} AS number, s.epoch, s.revision AS top, {gap},
                   {columns(EVENT_COLUMNS, "e")}, {columns(MESSAGE_COLUMNS, "m")}
            FROM sessions s
            LEFT JOIN events e ON e.session_id = :session{n} AND NOT {gap}
                AND e.revision > :after{n} AND e.revision <= :after{n} + :size{n}
            LEFT JOIN messages m ON m.session_id = e.session_id AND m.sequence = e.sequence
            WHERE s.id = :session{n} {_in_scope(scoped)})"""  # noqa: S608 - as above
        )
    return text("\nUNION ALL\n".join(selects) + "\nORDER BY number, revision")
