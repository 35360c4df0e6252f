"""What PostgreSQL is asked: statements whose arrays hold what many requests ask for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Text, TextClause, bindparam, text

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


def bound(
    statement: TextClause, rows: Sequence[tuple[Any, ...]], width: int, owner: str | None
) -> Bound:
    """Returns a statement with its arrays: of each of the rows' `width` columns one."""
    arrays = zip(*rows, strict=True) if rows else [()] * width
    parameters: dict[str, Any] = {f"c{at}": list(values) for at, values in enumerate(arrays)}
    if owner is not None:
        parameters["owner"] = owner
    return statement, parameters


def _statement(sql: str, *kinds: type[Text] | type[BigInteger]) -> TextClause:
    return text(sql).bindparams(
        *(bindparam(f"c{at}", type_=ARRAY(kind)) for at, kind in enumerate(kinds))
    )


def _in_scope(scoped: bool) -> str:
    return "AND s.owner_id = :owner" if scoped else ""


@lru_cache(maxsize=2)
def lock_sessions(wait: bool) -> TextClause:
    """Locks sessions by id and owner; without `wait`, those that nobody else has locked."""
    return _statement(
        f"""
        SELECT r.owner_id, {columns(SESSION_COLUMNS, "s")}, s.archived_through
        FROM unnest(:c0, :c1) r(id, owner_id)
        JOIN sessions s ON s.id = r.id AND (r.owner_id IS NULL OR s.owner_id = r.owner_id)
        ORDER BY s.id FOR UPDATE OF s {"" if wait else "SKIP LOCKED"}
        """,  # noqa: S608 - nothing in it comes from a client
        Text,
        Text,
    )


@lru_cache(maxsize=1)
def find_attempts() -> TextClause:
    """Reads attempts by session and key."""
    return _statement(
        f"""
        SELECT {columns(IDEMPOTENCY_COLUMNS, "k")}
        FROM unnest(:c0, :c1) r(session_id, key)
        JOIN idempotency_keys k ON k.session_id = r.session_id AND k.key = r.key
        """,  # noqa: S608 - nothing in it comes from a client
        Text,
        Text,
    )


@lru_cache(maxsize=2)
def find_sessions(scoped: bool) -> TextClause:
    """Reads sessions by owner and key."""
    return _statement(
        f"""
        SELECT {columns(SESSION_COLUMNS, "s")}
        FROM unnest(:c0, :c1) r(owner_id, key)
        JOIN sessions s ON s.owner_id = r.owner_id AND s.key = r.key {_in_scope(scoped)}
        """,  # noqa: S608 - nothing in it comes from a client
        Text,
        Text,
    )


@lru_cache(maxsize=2)
def get_messages(scoped: bool) -> TextClause:
    """Reads messages by session and number."""
    return _statement(
        f"""
        SELECT {columns(MESSAGE_COLUMNS, "m")}
        FROM unnest(:c0, :c1) r(session_id, sequence)
        JOIN sessions s ON s.id = r.session_id {_in_scope(scoped)}
        JOIN messages m ON m.session_id = s.id AND m.sequence = r.sequence
        """,  # noqa: S608 - nothing in it comes from a client
        Text,
        BigInteger,
    )


@lru_cache(maxsize=256)
def page_messages(shape: PageShape, scoped: bool) -> TextClause:
    """Reads pages of messages in rows."""
    take, limit, wanted = shape
    return _of_pages(
        f"""
        {_pages(scoped)}
        SELECT r.number - 1, r.has_before, r.has_behind, {columns(MESSAGE_COLUMNS, "m", wanted)}
        FROM page r LEFT JOIN LATERAL ({_items(take, limit)}) m ON true
        """  # noqa: S608 - nothing in it comes from a client
    )


@lru_cache(maxsize=256)
def packed_message_pages(shape: PageShape, scoped: bool) -> TextClause:
    """Reads pages of messages as JSON texts."""
    take, limit, wanted = shape
    return _of_pages(
        f"""
        {_pages(scoped)}
        SELECT r.number - 1, r.has_before, r.has_behind, (
            SELECT convert_to({_packed(wanted)}, 'UTF8')
            FROM ({_items(take, limit)}) m
        )
        FROM page r
        """  # noqa: S608 - nothing in it comes from a client
    )


@lru_cache(maxsize=256)
def packed_end_pages(shape: PageShape, scope: MessageScope, scoped: bool) -> TextClause:
    """Reads an end of the messages of each session as a JSON text."""
    take, limit, wanted = shape
    direction = "DESC" if take is Take.LAST else "ASC"
    return _statement(
        f"""
        WITH page AS MATERIALIZED (
            SELECT r.number, s.id AS session_id, s.archived_through
            FROM unnest(:c0) WITH ORDINALITY AS r(session_id, number)
            JOIN sessions s ON s.id = r.session_id {_in_scope(scoped)}
        )
        SELECT r.number - 1, 0, 0, (
            SELECT convert_to({_packed(wanted)}, 'UTF8')
            FROM (
                SELECT * FROM messages i WHERE i.session_id = r.session_id
                AND {within(scope, "i.sequence", "r.archived_through")}
                ORDER BY i.sequence {direction} LIMIT {limit + 1}
            ) m
        )
        FROM page r
        """,  # noqa: S608 - nothing in it comes from a client
        Text,
    )


def _packed(wanted: frozenset[str] | None) -> str:
    return packed_items("m", wanted, "string_agg", _array, _quoted)


def _array(expression: str) -> str:
    # Faster than `json_agg`, and without spaces to read over.
    return f"coalesce('[' || string_agg({_quoted(expression)}, ',') || ']', '[]')"


def _quoted(expression: str) -> str:
    return f"coalesce(to_json({expression})::text, 'null')"


def _items(take: Take, limit: int) -> str:
    """Returns the query of the messages of the page `r`."""
    direction = "DESC" if take is Take.LAST else "ASC"
    return f"""
        SELECT * FROM messages i WHERE i.session_id = r.session_id
        AND i.sequence > greatest(r.after, r.low)
        AND i.sequence < least(r.before, r.high + 1)
        ORDER BY i.sequence {direction} LIMIT {limit + 1}"""  # noqa: S608 - nothing in it comes from a client


def _pages(scoped: bool) -> str:
    """Returns the table expression `page`: of each request its session and range."""
    return f"""
        WITH request AS MATERIALIZED (
            SELECT r.number, s.id AS session_id,
                   r.after, r.before,
                   CASE WHEN r.archive = 1 THEN s.archived_through ELSE 0 END AS low,
                   CASE WHEN r.archive = 2 THEN s.archived_through ELSE {NO_BOUND} END AS high
            FROM unnest(:c0, :c1, :c2, :c3) WITH ORDINALITY
                AS r(session_id, after, before, archive, number)
            JOIN sessions s ON s.id = r.session_id {_in_scope(scoped)}
        ), page AS MATERIALIZED (
            SELECT r.*,
                   r.after > 0 AND EXISTS (
                       SELECT FROM messages b WHERE b.session_id = r.session_id
                       AND b.sequence > r.low AND b.sequence <= least(r.after, r.high)
                   ) AS has_before,
                   r.before < {NO_BOUND} AND EXISTS (
                       SELECT FROM messages b WHERE b.session_id = r.session_id
                       AND b.sequence > greatest(r.before - 1, r.low) AND b.sequence <= r.high
                   ) AS has_behind
            FROM request r
        )"""  # noqa: S608 - nothing in it comes from a client


def _of_pages(sql: str) -> TextClause:
    return _statement(sql, Text, BigInteger, BigInteger, BigInteger)


@lru_cache(maxsize=2)
def read_logs(scoped: bool) -> TextClause:
    """Reads slices of logs, with the messages that their events are about."""
    # LIMIT keeps each lateral join one: flattened, the planner may read whole tables.
    return _statement(
        f"""
        WITH request AS MATERIALIZED (
            SELECT r.number, s.id AS session_id, s.epoch, s.revision AS top, r.after, r.size,
                   coalesce(r.epoch <> s.epoch, false) OR r.after > s.revision AS gap
            FROM unnest(:c0, :c1, :c2, :c3) WITH ORDINALITY
                AS r(session_id, epoch, after, size, number)
            JOIN sessions s ON s.id = r.session_id {_in_scope(scoped)}
        )
        SELECT r.number - 1, r.epoch, r.top, r.gap,
               {columns(EVENT_COLUMNS, "e")}, {columns(MESSAGE_COLUMNS, "m")}
        FROM request r
        LEFT JOIN LATERAL (
            SELECT * FROM events i WHERE i.session_id = r.session_id AND NOT r.gap
            AND i.revision > r.after AND i.revision <= r.after + r.size
            ORDER BY i.revision LIMIT r.size) e ON true
        LEFT JOIN LATERAL (
            SELECT * FROM messages i
            WHERE i.session_id = e.session_id AND i.sequence = e.sequence LIMIT 1) m ON true
        ORDER BY r.number, e.revision
        """,  # noqa: S608 - nothing in it comes from a client
        Text,
        Text,
        BigInteger,
        BigInteger,
    )
