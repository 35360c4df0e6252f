"""Examining what is searched: the index's texts held against the files, its grams against them."""

from __future__ import annotations

import sqlite3

from app.backends.files.replay import Replayed
from app.backends.files.store import Store
from app.backends.files.texts import (
    TITLE,
    Place,
    runs_of,
    settle_all,
    settled_without_grams,
    text_of_title,
    texts_of,
)
from app.backends.protocol import Finding, Severity

CODE = "SEARCH_DRIFTED"


def check_texts_of(connection: sqlite3.Connection, replayed: Replayed) -> list[Finding]:
    """Returns what is wrong with what is searched of a session."""
    session = replayed.draft.session
    wanted = {TITLE: text_of_title(session), **replayed.draft.texts}
    if texts_of(connection, session.id) == {at: one for at, one in wanted.items() if one.normal}:
        return []
    return [
        Finding(
            Severity.ERROR,
            CODE,
            f"what is searched of session {session.id} is not what its file says",
            "Run `scrollback doctor --repair`, which reads the file again.",
        )
    ]


def check_settled(store: Store) -> list[Finding]:
    """Returns what is wrong with the index by grams."""
    with store.index.reading() as connection:
        lost = count_unfindable(connection)
    if not lost:
        return []
    return [
        Finding(
            Severity.ERROR,
            CODE,
            f"{lost} texts of messages or titles are not found by searching, or in a wrong order",
            "Run `scrollback doctor --repair`, which makes the search index anew.",
        )
    ]


def repair_settled(store: Store) -> None:
    """Makes the index by grams anew, if anything is wrong with it."""
    with store.index.reading() as connection:
        lost = count_unfindable(connection)
    if lost:
        with store.index.sharing(), store.index.writing() as connection:
            settle_all(connection)


def count_unfindable(connection: sqlite3.Connection) -> int:
    """Counts the settled texts that have no grams or are not where their run has them."""
    lost = set(settled_without_grams(connection))
    for run in runs_of(connection):
        before: Place | None = None
        for identifier, *row in connection.execute(
            "SELECT id, created_at, session_id, sequence FROM texts "
            "WHERE id BETWEEN ? AND ? ORDER BY id",
            (run.first, run.last),
        ):
            place = Place(*row)
            if place > run.newest or (before is not None and place <= before):
                lost.add(identifier)
            before = place
    astray = connection.execute(
        "SELECT id FROM texts WHERE NOT EXISTS "
        "(SELECT 1 FROM text_runs r WHERE texts.id BETWEEN r.first AND r.last)"
    )
    return len(lost.union(identifier for (identifier,) in astray))
