"""The searched texts of messages and titles in the index, and the grams that find them.

A write puts its texts among the fresh ones, which a search reads one by one. Once there are many
they are settled together: sorted by time and put under an index by grams (FTS5 with SQLite's own
trigrams), which so takes a fraction of what it takes to index each by itself. A text is found from
the moment that it is written.

Settled texts lie in sorted runs: within a run a higher id is a later text, so that the newest that
have a gram are read from the end, without sorting. What is written as it is said goes on with the
last run; texts that are older than its end begin another.

A session's title is a text of its own, with the number 0.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from app.backends.files.text_grams import EVERY_DOCUMENT, document_of
from app.model.identifiers import SessionId
from app.model.message import Message
from app.model.search_text import normal_text, normalize
from app.model.session import Session
from app.model.timestamps import Timestamp

TITLE = 0
"""The number that a session's title has among its texts; messages are numbered from 1."""

FRESH_TEXTS = 1024
"""How many texts may be fresh, all of which a search reads."""

FRESH_LENGTH = 1 << 18
"""How many characters one process may leave fresh, for the time that settling them takes."""

_TABLES = ("fresh_texts", "texts")
_BATCH_TEXTS = 4096
_BATCH_LENGTH = 1 << 20

TABLES = """
CREATE TABLE fresh_texts (
    session_id TEXT NOT NULL, sequence INTEGER NOT NULL, owner_id TEXT NOT NULL,
    role TEXT NOT NULL, created_at TEXT NOT NULL, normal TEXT NOT NULL,
    PRIMARY KEY (session_id, sequence)
) WITHOUT ROWID;
CREATE TABLE texts (
    id INTEGER PRIMARY KEY, session_id TEXT NOT NULL, sequence INTEGER NOT NULL,
    owner_id TEXT NOT NULL, role TEXT NOT NULL, created_at TEXT NOT NULL, normal TEXT NOT NULL
);
CREATE UNIQUE INDEX texts_message ON texts (session_id, sequence);
CREATE TABLE stale_texts (
    id INTEGER PRIMARY KEY, owner_id TEXT NOT NULL, session_id TEXT NOT NULL, normal TEXT NOT NULL
);
CREATE TRIGGER texts_go_stale AFTER DELETE ON texts BEGIN
    INSERT INTO stale_texts VALUES (old.id, old.owner_id, old.session_id, old.normal);
END;
CREATE TABLE text_runs (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL,
    created_at TEXT NOT NULL, session_id TEXT NOT NULL, sequence INTEGER NOT NULL
);
CREATE VIRTUAL TABLE text_grams USING fts5 (
    document, content='', columnsize=0, detail=none, tokenize='trigram case_sensitive 1'
);
INSERT INTO text_grams (text_grams, rank) VALUES ('automerge', 8);
"""
# Whoever finds a gram reads the text itself, so the index keeps neither places (detail) nor sizes.


class SearchedText(NamedTuple):
    """A text as it is searched, in normal form; a title is in no role."""

    role: str
    created_at: Timestamp
    normal: str


def settled_without_grams(connection: sqlite3.Connection) -> list[int]:
    """Returns the ids of settled texts of which the index by grams does not know."""
    connection.execute(
        "CREATE VIRTUAL TABLE IF NOT EXISTS temp.text_gram_places "
        "USING fts5vocab (main, text_grams, instance)"
    )
    rows = connection.execute(
        "SELECT id FROM texts WHERE id NOT IN "
        "(SELECT doc FROM temp.text_gram_places WHERE term >= ? AND term < ?)",
        EVERY_DOCUMENT,
    )
    return [identifier for (identifier,) in rows]


class Place(NamedTuple):
    """A place in the order of time."""

    created_at: Timestamp
    session_id: SessionId
    sequence: int


class Run(NamedTuple):
    """Settled texts in order of time, by their first and last id, with the place of the last."""

    first: int
    last: int
    newest: Place


def text_of_message(message: Message) -> SearchedText:
    """Returns what is searched of a message."""
    return SearchedText(message.role.value, message.created_at, normal_text(message.parts))


def text_of_title(session: Session) -> SearchedText:
    """Returns what is searched of a session itself."""
    return SearchedText("", session.created_at, normalize(session.title or ""))


Texts: TypeAlias = Mapping[int, SearchedText | None]
"""Searched texts of one session by number; None and an empty one are none."""


def put_texts(
    connection: sqlite3.Connection, session: Session, before: Session | None, texts: Texts
) -> None:
    """Writes the texts of messages that have changed, and the title if that has.

    `before` is the session as it was, None where there are no texts of it.
    """
    if before is None or before.title != session.title:
        texts = {TITLE: text_of_title(session), **texts}
    last_before = TITLE - 1 if before is None else before.last_sequence
    _write(connection, session, [at for at in texts if at <= last_before], texts)


def set_texts(connection: sqlite3.Connection, session: Session, texts: Texts) -> None:
    """Makes these all the texts of a session, beside its title. What is there already stays."""
    for table in _TABLES:
        connection.execute(
            f"DELETE FROM {table} WHERE session_id = ? AND owner_id <> ?",  # noqa: S608 - ours
            (session.id, session.owner_id or ""),
        )
    present = texts_of(connection, session.id)
    wanted = {TITLE: text_of_title(session), **texts}
    changed = {at: wanted.get(at) for at in present | wanted if present.get(at) != wanted.get(at)}
    _write(connection, session, present.keys() & changed.keys(), changed)


def _write(
    connection: sqlite3.Connection, session: Session, present: Iterable[int], texts: Texts
) -> None:
    gone = [(session.id, at) for at in present]
    if gone:
        for table in _TABLES:
            connection.executemany(
                f"DELETE FROM {table} WHERE session_id = ? AND sequence = ?",  # noqa: S608 - ours
                gone,
            )
    owner_id = session.owner_id or ""
    connection.executemany(
        "INSERT INTO fresh_texts VALUES (?,?,?,?,?,?)",
        [
            (session.id, at, owner_id, *text)
            for at, text in texts.items()
            if text is not None and text.normal
        ],
    )


def drop_texts(connection: sqlite3.Connection, session_id: SessionId) -> None:
    """Takes all texts of a session away."""
    for table in _TABLES:
        connection.execute(f"DELETE FROM {table} WHERE session_id = ?", (session_id,))  # noqa: S608


def is_due(connection: sqlite3.Connection, fresh: int | None = None) -> bool:
    """Answers whether texts are to be settled: so many are fresh, or some have gone stale."""
    found = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM fresh_texts LIMIT 1 OFFSET ?) "
        "OR EXISTS (SELECT 1 FROM stale_texts)",
        ((fresh or FRESH_TEXTS) - 1,),
    ).fetchone()
    return bool(found[0])


def settle(connection: sqlite3.Connection) -> bool:
    """Settles a number of texts that keeps nobody waiting for long; False where there is none.

    In a write transaction.
    """
    stale = _batch(
        connection.execute("SELECT id, owner_id, session_id, normal FROM stale_texts ORDER BY id")
    )
    connection.executemany(
        "INSERT INTO text_grams (text_grams, rowid, document) VALUES ('delete', ?, ?)",
        ((identifier, document_of(*words)) for identifier, *words in stale),
    )
    if stale:
        connection.execute("DELETE FROM stale_texts WHERE id <= ?", (stale[-1][0],))
    # In the order of the table's columns, which an unordered SELECT reads from the first on.
    fresh = _batch(connection.execute("SELECT * FROM fresh_texts ORDER BY session_id, sequence"))
    connection.executemany(
        "DELETE FROM fresh_texts WHERE session_id = ? AND sequence = ?",
        [(session_id, sequence) for session_id, sequence, *_ in fresh],
    )
    fresh.sort(key=_place)
    _append(connection, fresh)
    return bool(stale or fresh)


def settle_all(connection: sqlite3.Connection) -> None:
    """Puts all settled and fresh texts under an index made anew, in one run.

    In a write transaction.
    """
    for statement in (
        "INSERT INTO text_grams (text_grams) VALUES ('delete-all')",
        "INSERT OR REPLACE INTO fresh_texts "
        "SELECT session_id, sequence, owner_id, role, created_at, normal FROM texts",
        "DELETE FROM texts",
        "DELETE FROM stale_texts",
        "DELETE FROM text_runs",
    ):
        connection.execute(statement)
    rows = connection.execute("SELECT * FROM fresh_texts ORDER BY created_at, session_id, sequence")
    while batch := rows.fetchmany(_BATCH_TEXTS):
        _append(connection, batch)
    connection.execute("DELETE FROM fresh_texts")


def _batch(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Returns rows from the first on, until there are enough of them or of their last column."""
    batch: list[tuple[Any, ...]] = []
    length = 0
    for row in rows:
        batch.append(row)
        length += len(row[-1])
        if len(batch) == _BATCH_TEXTS or length >= _BATCH_LENGTH:
            break
    return batch


def _append(connection: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    """Puts rows of fresh texts, in order of time, behind all settled ones."""
    if not rows:
        return
    before = connection.execute("SELECT * FROM text_runs ORDER BY first DESC LIMIT 1").fetchone()
    run = None if before is None else Run(before[0], before[1], Place(*before[2:]))
    start = 1 if run is None else run.last + 1
    numbered = [(at, *row) for at, row in enumerate(rows, start=start)]
    connection.executemany("INSERT INTO texts VALUES (?,?,?,?,?,?,?)", numbered)
    connection.executemany(
        "INSERT INTO text_grams (rowid, document) VALUES (?, ?)",
        (
            (at, document_of(owner_id, session_id, normal))
            for at, session_id, _, owner_id, _, _, normal in numbered
        ),
    )
    goes_on = run is not None and run.newest < _place(rows[0])
    connection.execute(
        "INSERT OR REPLACE INTO text_runs VALUES (?,?,?,?,?)",
        (run.first if run and goes_on else start, start + len(rows) - 1, *_place(rows[-1])),
    )


def _place(row: tuple[Any, ...]) -> Place:
    session_id, sequence, _, _, created_at, _ = row
    return Place(created_at, session_id, sequence)


def texts_of(connection: sqlite3.Connection, session_id: SessionId) -> dict[int, SearchedText]:
    """Returns the texts that the index has of a session, by number."""
    columns = "sequence, role, created_at, normal"
    rows = connection.execute(
        f"SELECT {columns} FROM texts WHERE session_id = ?1 "  # noqa: S608 - ours
        f"UNION ALL SELECT {columns} FROM fresh_texts WHERE session_id = ?1",
        (session_id,),
    )
    return {sequence: SearchedText(*text) for sequence, *text in rows}


def runs_of(connection: sqlite3.Connection) -> list[Run]:
    """Returns the runs, the one with the newest text first."""
    rows = connection.execute("SELECT * FROM text_runs")
    runs = [Run(first, last, Place(*newest)) for first, last, *newest in rows]
    return sorted(runs, key=lambda run: run.newest, reverse=True)
