"""Comparing the search index with the texts that it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select

from app.backends.sql.search_index import TITLE, IndexedText
from app.backends.sql.tables import messages, sessions
from app.model.parts import decode_parts
from app.model.search_text import normal_text, normalize

_Statement: TypeAlias = Select[*tuple[Any, ...]]

_CHUNK = 1000
"""How many rows are read at once."""


def expected_texts(connection: Connection) -> Iterator[IndexedText]:
    """Yields every text that the index must have: titles by session, then messages by key."""
    titled: _Statement = select(sessions.c.id, sessions.c.created_at, sessions.c.title)
    for session_id, at, title in _in_order(connection, titled, sessions.c.id):
        if title and (normal := normalize(title)):
            yield IndexedText(session_id, TITLE, at, normal)
    columns = messages.c
    said: _Statement = select(
        columns.session_id, columns.sequence, columns.created_at, columns.parts
    )
    for session_id, sequence, at, parts in _in_order(
        connection, said, columns.session_id, columns.sequence
    ):
        if normal := normal_text(decode_parts(parts)):
            yield IndexedText(session_id, sequence, at, normal)


def kept_rows(connection: Connection, statement: _Statement) -> Iterator[Sequence[Any]]:
    """Yields the entries of an index in the order of `expected_texts`.

    The statement gives the session's id and the number first.
    """
    session_id, sequence = statement.selected_columns[0], statement.selected_columns[1]
    yield from _in_order(connection, statement.where(sequence == TITLE), session_id)
    yield from _in_order(connection, statement.where(sequence != TITLE), session_id, sequence)


def sessions_that_differ(
    expected: Iterator[IndexedText],
    kept: Iterator[Sequence[Any]],
    fits: Callable[[IndexedText, Sequence[Any]], bool],
) -> list[str]:
    """Returns the sessions of which the index has too much, too little or something else."""
    differing: set[str] = set()
    text, row = next(expected, None), next(kept, None)
    while text is not None or row is not None:
        wanted = _place(text.session_id, text.sequence) if text is not None else None
        found = _place(row[0], row[1]) if row is not None else None
        if text is not None and (found is None or (wanted is not None and wanted < found)):
            differing.add(text.session_id)
            text = next(expected, None)
        elif row is not None and (wanted is None or (found is not None and found < wanted)):
            differing.add(row[0])
            row = next(kept, None)
        elif text is not None and row is not None:
            if not fits(text, row):
                differing.add(text.session_id)
            text, row = next(expected, None), next(kept, None)
    return sorted(differing)


def _place(session_id: str, sequence: int) -> tuple[bool, str, int]:
    return sequence != TITLE, session_id, sequence


def _in_order(
    connection: Connection, statement: _Statement, key: ColumnElement[Any], *more: Any
) -> Iterator[Sequence[Any]]:
    """Yields the rows of a statement by a key of its first columns, read in chunks."""
    ordered = statement.order_by(key, *more).limit(_CHUNK)
    rows: Sequence[Sequence[Any]] = connection.execute(ordered).all()
    while rows:
        yield from rows
        if len(rows) < _CHUNK:
            return
        last = rows[-1]
        beyond: ColumnElement[bool] = key > last[0]
        if more:
            beyond = and_(key >= last[0], or_(beyond, more[0] > last[1]))
        rows = connection.execute(ordered.where(beyond)).all()
