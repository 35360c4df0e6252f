"""What SQLite is asked: statements whose JSON array holds what many requests ask for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import TextClause, text

from app.backends.sql.dialects.dialect import NO_BOUND, Bound, PageShape, columns
from app.backends.sql.dialects.packed_messages import packed_items, within
from app.backends.sql.rows import (
    EVENT_COLUMNS,
    IDEMPOTENCY_COLUMNS,
    MESSAGE_COLUMNS,
    SESSION_COLUMNS,
)
from app.model.message import MessageScope
from app.model.paging import Take


def bound(statement: TextClause, rows: Sequence[Any], owner: str | None) -> Bound:
    """Returns a statement with what is asked for, as one JSON array."""
    parameters = {"rows": orjson.dumps(rows).decode()}
    if owner is not None:
        parameters["owner"] = owner
    return statement, parameters


# CROSS JOIN and the plus keep the planner to the primary key of `sessions`: left to itself it
# reads every session of the owner by an index of the owner.
_SESSION_OF_REQUEST = {
    False: "CROSS JOIN sessions s ON s.id = r.value ->> 0",
    True: "CROSS JOIN sessions s ON s.id = r.value ->> 0 AND +s.owner_id = :owner",
}


DATA_VERSION = text("PRAGMA data_version")
LOCK_SESSIONS = text(
    f"""
    SELECT r.value ->> 1, {columns(SESSION_COLUMNS, "s")}, s.archived_through
    FROM json_each(:rows) r
    CROSS JOIN sessions s ON s.id = r.value ->> 0
    AND (r.value ->> 1 IS NULL OR +s.owner_id = r.value ->> 1)
    """  # noqa: S608 - nothing in it comes from a client
)
FIND_ATTEMPTS = text(
    f"""
    SELECT {columns(IDEMPOTENCY_COLUMNS, "k")}
    FROM json_each(:rows) r
    CROSS JOIN idempotency_keys k ON k.session_id = r.value ->> 0 AND k.key = r.value ->> 1
    """  # noqa: S608 - nothing in it comes from a client
)


@lru_cache(maxsize=2)
def find_sessions(scoped: bool) -> TextClause:
    """Reads sessions by owner and key."""
    return text(
        f"""
        SELECT {columns(SESSION_COLUMNS, "s")}
        FROM json_each(:rows) r
        CROSS JOIN sessions s ON s.owner_id = r.value ->> 0 AND s.key = r.value ->> 1
        {"AND +s.owner_id = :owner" if scoped else ""}
        """  # noqa: S608 - nothing in it comes from a client
    )


@lru_cache(maxsize=2)
def get_messages(scoped: bool) -> TextClause:
    """Reads messages by session and number."""
    return text(
        f"""
        SELECT {columns(MESSAGE_COLUMNS, "m")}
        FROM json_each(:rows) r
        CROSS JOIN sessions s ON s.id = r.value ->> 0
        {"AND +s.owner_id = :owner" if scoped else ""}
        CROSS JOIN messages m ON m.session_id = s.id AND m.sequence = r.value ->> 1
        """  # noqa: S608 - nothing in it comes from a client
    )


@lru_cache(maxsize=256)
def page_messages(shape: PageShape, scoped: bool) -> TextClause:
    """Reads pages of messages in rows."""
    take, limit, wanted = shape
    return text(
        f"""
        {_pages(take, limit, scoped)}
        SELECT r.number, r.has_before, r.has_behind, {columns(MESSAGE_COLUMNS, "m", wanted)}
        FROM page r LEFT JOIN messages m ON m.session_id = r.session_id AND {_RANGES[take]}
        """  # noqa: S608 - nothing in it comes from a client
    )


@lru_cache(maxsize=256)
def packed_message_pages(shape: PageShape, scoped: bool) -> TextClause:
    """Reads pages of messages as JSON texts."""
    take, limit, wanted = shape
    # A subquery for each page, where grouping would sort all messages with their words.
    return text(
        f"""
        {_pages(take, limit, scoped)}
        SELECT r.number, r.has_before, r.has_behind, (
            SELECT CAST({_packed(wanted)} AS BLOB)
            FROM messages m WHERE m.session_id = r.session_id AND {_RANGES[take]}
        )
        FROM page r
        """  # noqa: S608 - nothing in it comes from a client
    )


@lru_cache(maxsize=256)
def packed_end_pages(shape: PageShape, scope: MessageScope, scoped: bool) -> TextClause:
    """Reads an end of the messages of each session as a JSON text."""
    take, limit, wanted = shape
    direction, far = (
        ("DESC", "m.sequence >= r.far") if take is Take.LAST else ("ASC", "m.sequence <= r.far")
    )
    none_so_far = "0" if take is Take.LAST else str(NO_BOUND)
    return text(
        f"""
        WITH page AS MATERIALIZED (
            SELECT r.key AS number, s.id AS session_id,
                   s.archived_through, coalesce((
                SELECT i.sequence FROM messages i WHERE i.session_id = s.id
                AND {within(scope, "i.sequence", "s.archived_through")}
                ORDER BY i.sequence {direction} LIMIT 1 OFFSET {limit}), {none_so_far}) AS far
            FROM json_each(:rows) r
            CROSS JOIN sessions s ON s.id = r.value {"AND +s.owner_id = :owner" if scoped else ""}
        )
        SELECT r.number, 0, 0, (
            SELECT CAST({_packed(wanted)} AS BLOB)
            FROM messages m WHERE m.session_id = r.session_id AND {far}
            AND {within(scope, "m.sequence", "r.archived_through")}
        )
        FROM page r
        """  # noqa: S608 - nothing in it comes from a client
    )


def _packed(wanted: frozenset[str] | None) -> str:
    return packed_items("m", wanted, "group_concat", "json_group_array({})".format, _quoted)


def _quoted(expression: str) -> str:
    return f"json_quote({expression})"


# A page is a range of the primary key, and its far end the place of one message: looked up
# one by one after a subquery with LIMIT, the same messages take three times as long.
_RANGES = {
    Take.LAST: "m.sequence >= r.far AND m.sequence < r.high",
    Take.FIRST: "m.sequence > r.low AND m.sequence <= r.far",
}


def _pages(take: Take, limit: int, scoped: bool) -> str:
    """Returns the table expression `page`: of each request its session and range."""
    if take is Take.LAST:
        direction, none_so_far = "DESC", "r.low + 1"
    else:
        direction, none_so_far = "ASC", "r.high - 1"
    return f"""
        WITH request AS MATERIALIZED (
            SELECT r.key AS number, s.id AS session_id,
                   r.value ->> 1 AS after, r.value ->> 2 AS before,
                   iif(r.value ->> 3 = 1, s.archived_through, 0) AS floor,
                   iif(r.value ->> 3 = 2, s.archived_through, {NO_BOUND}) AS ceiling
            FROM json_each(:rows) r
            {_SESSION_OF_REQUEST[scoped]}
        ), span AS MATERIALIZED (
            SELECT r.number, r.session_id,
                   max(r.after, r.floor) AS low, min(r.before, r.ceiling + 1) AS high,
                   r.after > 0 AND EXISTS (
                       SELECT 1 FROM messages b WHERE b.session_id = r.session_id
                       AND b.sequence > r.floor AND b.sequence <= min(r.after, r.ceiling)
                   ) AS has_before,
                   r.before < {NO_BOUND} AND EXISTS (
                       SELECT 1 FROM messages b WHERE b.session_id = r.session_id
                       AND b.sequence > max(r.before - 1, r.floor) AND b.sequence <= r.ceiling
                   ) AS has_behind
            FROM request r
        ), page AS MATERIALIZED (
            SELECT r.*, coalesce((
                SELECT i.sequence FROM messages i WHERE i.session_id = r.session_id
                AND i.sequence > r.low AND i.sequence < r.high
                ORDER BY i.sequence {direction} LIMIT 1 OFFSET {limit}), {none_so_far}) AS far
            FROM span r
        )"""  # noqa: S608 - nothing in it comes from a client


@lru_cache(maxsize=2)
def read_logs(scoped: bool) -> TextClause:
    """Reads slices of logs, with the messages that their events are about."""
    return text(
        f"""
        WITH request AS MATERIALIZED (
            SELECT r.key AS number, s.id AS session_id, s.epoch, s.revision AS top,
                   r.value ->> 2 AS after, r.value ->> 3 AS size,
                   (r.value ->> 1 IS NOT NULL AND r.value ->> 1 <> s.epoch)
                   OR r.value ->> 2 > s.revision AS gap
            FROM json_each(:rows) r
            {_SESSION_OF_REQUEST[scoped]}
        )
        SELECT r.number, r.epoch, r.top, r.gap,
               {columns(EVENT_COLUMNS, "e")}, {columns(MESSAGE_COLUMNS, "m")}
        FROM request r
        LEFT JOIN events e ON e.session_id = r.session_id AND NOT r.gap
            AND e.revision > r.after AND e.revision <= r.after + r.size
        LEFT JOIN messages m ON m.session_id = e.session_id AND m.sequence = e.sequence
        ORDER BY r.number, e.revision
        """  # noqa: S608 - nothing in it comes from a client
    )
