"""The statement that adds messages to many sessions, each only if nobody has changed it since."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import count
from typing import NamedTuple

from sqlalchemy import BigInteger, Integer

from app.backends.sql.draft import ADDED_COLUMNS
from app.backends.sql.tables import events, idempotency_keys, messages, sessions
from app.model.events import EventKind

_NULL_AT_FIRST = ("edited_at", "archived_at")

CONTENT = tuple(column.name for column in messages.c if column.name not in _NULL_AT_FIRST)
"""What is given of a message, in the order of its table."""

_KEYS = tuple(column.name for column in idempotency_keys.c)

_NUMBERS = {
    column.name
    for table in (sessions, messages, events, idempotency_keys)
    for column in table.c
    if isinstance(column.type, (BigInteger, Integer))
} | {"known_revision"}


class Shape(NamedTuple):
    """Which of the rarer rows a statement writes: idempotency keys, users and agents."""

    keys: bool
    names: bool


@lru_cache(maxsize=4)
def append_statement(shape: Shape) -> str:
    """Returns the statement. Rows: the sessions that were written, each with its new version.

    Its parameters are arrays, in this order: of sessions the id, owner, revision and version that
    they are known with, and the new values of `ADDED_COLUMNS`; of messages their `CONTENT`, the
    revision and time of their event, and their tokens with spaces between; idempotency keys; the
    users and then the agents to be made known, each with the session for which.
    """
    numbers = count(1)
    known = ("id", "owner_id", "known_revision", "known_version", *ADDED_COLUMNS)
    sessions_given = _given(numbers, "g", known)
    messages_given = _given(numbers, "m", (*CONTENT, "revision", "at", "tokens"))
    attempted, unused, rarer = "", "", ""
    if shape.keys:
        given = _given(numbers, "k", _KEYS)
        attempted = f"attempted AS MATERIALIZED (SELECT * FROM {given}),"  # noqa: S608
        unused = _NO_KEY_IS_USED
        rarer += _REMEMBERED
    if shape.names:
        rarer += "".join([_made_known(numbers, table) for table in ("users", "agents")])
    return f"""
        WITH {attempted} held AS MATERIALIZED (
            SELECT g.* FROM {sessions_given}
            JOIN sessions s ON s.id = g.id AND s.owner_id = g.owner_id
            AND s.revision = g.known_revision AND s.xmin::text = g.known_version {unused}
            ORDER BY s.id FOR UPDATE OF s SKIP LOCKED
        ), added AS MATERIALIZED (
            SELECT m.* FROM {messages_given} JOIN held h ON h.id = m.session_id
        ), updated AS (
            UPDATE sessions s SET {", ".join(f"{name} = h.{name}" for name in ADDED_COLUMNS)}
            FROM held h WHERE s.id = h.id RETURNING s.id, s.xmin::text
        ), said AS (
            INSERT INTO messages ({_listed(CONTENT)}) SELECT {_listed(CONTENT)} FROM added
        ), logged AS (
            INSERT INTO events (session_id, revision, kind, at, sequence)
            SELECT session_id, revision, '{EventKind.MESSAGE_ADDED.value}', at, sequence FROM added
        ), indexed AS (
            INSERT INTO search_entries (session_id, sequence, created_at, tokens)
            SELECT session_id, sequence, created_at,
                   CASE tokens WHEN '' THEN ARRAY[''] ELSE string_to_array(tokens, ' ') END
            FROM added
            WHERE tokens IS NOT NULL
        ){rarer}
        SELECT * FROM updated
        """  # noqa: S608 - nothing in it comes from a client


def _made_known(numbers: Iterator[int], table: str) -> str:
    # In one order for everybody, so that no two writers wait for each other.
    return f""", known_{table} AS (
            INSERT INTO {table} (id)
            SELECT DISTINCT n.id FROM {_given(numbers, "n", ("session_id", "id"))}
            JOIN held h ON h.id = n.session_id ORDER BY 1
            ON CONFLICT DO NOTHING
        )"""  # noqa: S608 - nothing in it comes from a client


def _given(numbers: Iterator[int], alias: str, names: Sequence[str]) -> str:
    """Returns a table of parameters, an array for each column."""
    arrays = [f"${next(numbers)}::{'bigint' if name in _NUMBERS else 'text'}[]" for name in names]
    return f"unnest({', '.join(arrays)}) AS {alias}({_listed(names)})"


def _listed(names: Sequence[str], alias: str = "") -> str:
    return ", ".join(f"{alias}.{name}" if alias else name for name in names)


_NO_KEY_IS_USED = """AND NOT EXISTS (
                SELECT 1 FROM attempted a JOIN idempotency_keys u
                ON u.session_id = a.session_id AND u.key = a.key WHERE a.session_id = g.id
            )"""
_REMEMBERED = f""", remembered AS (
            INSERT INTO idempotency_keys ({_listed(_KEYS)})
            SELECT {_listed(_KEYS, "a")} FROM attempted a JOIN held h ON h.id = a.session_id
        )"""  # noqa: S608 - nothing in it comes from a client
