"""What the limit reads and writes with: prepared SQL on the driver, and nothing in between."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import asyncpg
import orjson

from app.model.timestamps import now

Row: TypeAlias = Sequence[Any]

_NEWEST = """
SELECT id, title, last_message_at, message_count, preview, owner_id FROM sessions
ORDER BY last_activity_at DESC, id DESC LIMIT {}
"""
_MESSAGES = """
SELECT sequence, role, status, created_at, model, parts FROM messages
WHERE session_id = {} AND sequence < {} ORDER BY sequence DESC LIMIT {}
"""


class LimitStore(Protocol):
    """The store of the limit."""

    async def newest_sessions(self, count: int) -> Sequence[Row]:
        """Returns id, title, last message's time, count of messages, preview and owner."""
        ...

    async def user_names(self) -> dict[str, str]:
        """Returns the names of all users."""
        ...

    async def title(self, session: str) -> str:
        """Returns a session's title."""
        ...

    async def find(self, title: str) -> str:
        """Returns the session of a title."""
        ...

    async def some(self, count: int) -> list[str]:
        """Returns the last sessions by title."""
        ...

    async def messages(self, session: str, before: int, count: int) -> Sequence[Row]:
        """Returns messages before a number, the newest first."""
        ...

    async def newest_messages(self, sessions: list[str], count: int) -> dict[str, Sequence[Row]]:
        """Returns the newest messages of sessions, the newest first."""
        ...

    async def append(self, session: str, text: str) -> int:
        """Adds a message durably; returns its number."""
        ...


class SqliteStore:
    """sqlite3 in the event loop, writing in groups in a thread."""

    def __init__(self, path: str) -> None:
        self._reading = sqlite3.connect(path, isolation_level=None, cached_statements=64)
        self._writing = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._writing.execute("PRAGMA synchronous = FULL")
        self._waiting: list[tuple[str, str, asyncio.Future[int]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def newest_sessions(self, count: int) -> Sequence[Row]:
        return self._reading.execute(_NEWEST.format("?"), (count,)).fetchall()

    async def user_names(self) -> dict[str, str]:
        return dict(self._reading.execute("SELECT id, display_name FROM users").fetchall())

    async def title(self, session: str) -> str:
        (title,) = self._reading.execute(
            "SELECT title FROM sessions WHERE id = ?", (session,)
        ).fetchone()
        return str(title)

    async def find(self, title: str) -> str:
        (session,) = self._reading.execute(
            "SELECT id FROM sessions WHERE title = ?", (title,)
        ).fetchone()
        return str(session)

    async def some(self, count: int) -> list[str]:
        rows = self._reading.execute(
            "SELECT id FROM sessions ORDER BY title_order DESC, id DESC LIMIT ?", (count,)
        )
        return [row[0] for row in rows]

    async def messages(self, session: str, before: int, count: int) -> Sequence[Row]:
        statement = _MESSAGES.format("?", "?", "?")
        return self._reading.execute(statement, (session, before, count)).fetchall()

    async def newest_messages(self, sessions: list[str], count: int) -> dict[str, Sequence[Row]]:
        return {session: await self.messages(session, 2**62, count) for session in sessions}

    async def append(self, session: str, text: str) -> int:
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((session, text, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        return await done

    async def _write(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:64], self._waiting[64:]
            sequences = await asyncio.to_thread(self._commit, group)
            for (_, _, done), sequence in zip(group, sequences, strict=True):
                done.set_result(sequence)

    def _commit(self, group: list[tuple[str, str, asyncio.Future[int]]]) -> list[int]:
        sequences = []
        self._writing.execute("BEGIN IMMEDIATE")
        for session, text, _ in group:
            at = now()
            sequence, revision = self._writing.execute(
                "UPDATE sessions SET last_sequence = last_sequence + 1, revision = revision + 1,"
                " message_count = message_count + 1, last_message_at = ?, last_activity_at = ?,"
                " updated_at = ?, preview = ? WHERE id = ? RETURNING last_sequence, revision",
                (at, at, at, text[:120], session),
            ).fetchone()
            self._writing.execute(
                "INSERT INTO messages (session_id, sequence, role, status, parts, preview,"
                " metadata, created_at) VALUES (?, ?, 'user', 'complete', ?, ?, '{}', ?)",
                (session, sequence, _parts(text), text[:120], at),
            )
            self._writing.execute(
                "INSERT INTO events (session_id, revision, kind, at, sequence)"
                " VALUES (?, ?, 'message_added', ?, ?)",
                (session, revision, at, sequence),
            )
            sequences.append(sequence)
        self._writing.execute("COMMIT")
        return sequences


class PostgresqlStore:
    """asyncpg with prepared statements, one an answer; the server groups the commits."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @classmethod
    async def connect(cls, url: str) -> PostgresqlStore:
        """Opens the pool."""
        return cls(await asyncpg.create_pool(url, min_size=8, max_size=8, reset=_leave))

    async def newest_sessions(self, count: int) -> Sequence[Row]:
        return list(await self._pool.fetch(_NEWEST.format("$1"), count))

    async def user_names(self) -> dict[str, str]:
        return dict(await self._pool.fetch("SELECT id, display_name FROM users"))

    async def title(self, session: str) -> str:
        return str(await self._pool.fetchval("SELECT title FROM sessions WHERE id = $1", session))

    async def find(self, title: str) -> str:
        return str(await self._pool.fetchval("SELECT id FROM sessions WHERE title = $1", title))

    async def some(self, count: int) -> list[str]:
        rows = await self._pool.fetch(
            "SELECT id FROM sessions ORDER BY title_order DESC, id DESC LIMIT $1", count
        )
        return [row[0] for row in rows]

    async def messages(self, session: str, before: int, count: int) -> Sequence[Row]:
        statement = _MESSAGES.format("$1", "$2", "$3")
        return list(await self._pool.fetch(statement, session, before, count))

    async def newest_messages(self, sessions: list[str], count: int) -> dict[str, Sequence[Row]]:
        rows = await self._pool.fetch(
            "SELECT m.* FROM unnest($1::text[]) s(id) CROSS JOIN LATERAL (SELECT sequence, role,"
            " status, created_at, model, parts, session_id FROM messages WHERE session_id = s.id"
            " ORDER BY sequence DESC LIMIT $2) m",
            sessions,
            count,
        )
        found: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            found[row[6]].append(row[:6])
        return {session: found[session] for session in sessions}

    async def append(self, session: str, text: str) -> int:
        sequence: int = await self._pool.fetchval(
            "WITH s AS (UPDATE sessions SET last_sequence = last_sequence + 1,"
            " revision = revision + 1, message_count = message_count + 1, last_message_at = $2,"
            " last_activity_at = $2, updated_at = $2, preview = $3 WHERE id = $1"
            " RETURNING id, last_sequence, revision),"
            " m AS (INSERT INTO messages (session_id, sequence, role, status, parts, preview,"
            " metadata, created_at) SELECT id, last_sequence, 'user', 'complete', $4, $3, '{}', $2"
            " FROM s) INSERT INTO events (session_id, revision, kind, at, sequence)"
            " SELECT id, revision, 'message_added', $2, last_sequence FROM s RETURNING sequence",
            session,
            now(),
            text[:120],
            _parts(text),
        )
        return sequence


async def _leave(_connection: object) -> None:
    """Resets nothing, as nothing is set."""


def _parts(text: str) -> str:
    return orjson.dumps([{"type": "text", "text": text}]).decode()
