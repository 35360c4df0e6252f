"""Adding messages in PostgreSQL: one statement for the commits of many sessions.

A session's state is known from the last commit that this process made of it, and the statement
itself sees to it that nobody has changed the row since: what it finds changed or held by another
is left alone. So there is one round trip, the one that commits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
from sqlalchemy import URL, Engine
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.backends.sql.appends import Interrupted, NothingDone
from app.backends.sql.dialects.dialect import DATABASE_ERRORS, Dialect, Failure, columns
from app.backends.sql.dialects.postgresql_append_statement import (
    CONTENT,
    Shape,
    append_statement,
)
from app.backends.sql.dialects.postgresql_connections import DRIVER_ERRORS, connections_of
from app.backends.sql.draft import ADDED_COLUMNS, Draft, added_values
from app.backends.sql.idempotency import to_record
from app.backends.sql.known_sessions import Known, KnownSessions
from app.backends.sql.reads import announce
from app.backends.sql.rows import (
    IDEMPOTENCY_COLUMNS,
    SESSION_COLUMNS,
    idempotency_values,
    owner_to_column,
    to_idempotency_record,
    to_session,
)
from app.backends.sql.search_tokens import tokens_of
from app.backends.sql.tables import agents, users
from app.backends.sql.together import Outcome, Work, draft_together, hold_known
from app.model.changes import Committed
from app.model.identifiers import SessionId

_ERRORS = (*DATABASE_ERRORS, *DRIVER_ERRORS)

_READ_SESSIONS = f"""
    SELECT {columns(SESSION_COLUMNS, "s")}, s.archived_through, s.xmin::text
    FROM sessions s WHERE s.id = ANY($1::text[])
    """  # noqa: S608 - nothing in it comes from a client

# The server may come to a statement after its sender is gone. In another version of the row it
# finds nothing that it may write.
_SHUT_OUT = """
    WITH held AS MATERIALIZED (
        SELECT s.id FROM unnest($1::text[], $2::bigint[], $3::text[]) AS g(id, revision, version)
        JOIN sessions s ON s.id = g.id AND s.revision = g.revision AND s.xmin::text = g.version
        ORDER BY s.id FOR UPDATE OF s
    )
    UPDATE sessions s SET revision = s.revision FROM held h WHERE s.id = h.id
    """

_READ_KEYS = f"""
    SELECT {columns(IDEMPOTENCY_COLUMNS, "k")}
    FROM unnest($1::text[], $2::text[]) AS r(session_id, key)
    JOIN idempotency_keys k ON k.session_id = r.session_id AND k.key = r.key
    """  # noqa: S608 - nothing in it comes from a client


class PostgresqlAppends:
    """The appends of one store; satisfies `Appends`. Used from one event loop."""

    def __init__(
        self,
        dialect: Dialect,
        engine: Engine,
        url: URL,
        arguments: dict[str, Any],
        *,
        size: int,
        wait_seconds: float,
    ) -> None:
        """`url` and `arguments` are those of the engine, whose listeners learn of statements.

        At most `size` connections; one may wait `wait_seconds` for one to become free.
        """
        self._dialect = dialect
        self._engine = engine
        self._connections = connections_of(
            engine, url, arguments, size=size, wait_seconds=wait_seconds
        )
        self._prepared: dict[asyncpg.Connection, dict[Shape, Any]] = {}
        self._known = KnownSessions()

    async def carry_out(self, work: Sequence[Work]) -> Sequence[Outcome | None]:
        connection = await self._take()
        try:
            outcomes = await self._carry_out_on(connection, work)
        except NothingDone as error:
            self._take_back(connection, error.failure)
            raise
        except BaseException:
            self._take_back(connection, Failure.DISCONNECTED)
            raise
        self._connections.give(connection)
        return outcomes

    async def find_out(
        self, work: Sequence[Work], interrupted: Interrupted
    ) -> Mapping[SessionId, bool]:
        attempts = {
            (commit.session_id, commit.idempotency.key): to_record(
                commit, commit.idempotency, outcome
            )
            for outcome, (commit, _) in zip(interrupted.outcomes, work, strict=True)
            if commit.idempotency is not None
            and isinstance(outcome, Committed)
            and not outcome.replayed
        }
        known = [(one.session.id, one.session.revision, one.version) for one in interrupted.known]
        connection = await self._take()
        try:
            # First: what reads the keys has to see what this has waited for.
            await self._fetch(connection, _SHUT_OUT, _arrays(known, 3))
            found = await self._fetch(connection, _READ_KEYS, _arrays(list(attempts), 2))
        except _ERRORS as error:
            failure = self._dialect.failure(error)
            self._take_back(connection, failure)
            raise NothingDone(failure, error) from error
        except BaseException:
            self._take_back(connection, Failure.DISCONNECTED)
            raise
        self._connections.give(connection)
        written = dict.fromkeys([session_id for session_id, _ in attempts], False)
        for record in map(to_idempotency_record, found):
            # The same key may have been used before, or by another process in the meantime.
            if record == attempts[record.session_id, record.idempotency.key]:
                written[record.session_id] = True
        return written

    async def close(self) -> None:
        await self._connections.close()

    async def _take(self) -> asyncpg.Connection:
        try:
            return await self._connections.take()
        except (*_ERRORS, PoolTimeout) as error:
            raise NothingDone(self._dialect.failure(error), error) from error

    def _take_back(self, connection: asyncpg.Connection, failure: Failure) -> None:
        if failure is Failure.DISCONNECTED:
            # What was being written may be written now, and what comes next may be another server
            # or a restored one, which counts versions anew.
            self._known.clear()
            self._connections.discard(connection)
            self._connections.forget_idle()
        else:
            self._connections.give(connection)

    async def _carry_out_on(
        self, connection: asyncpg.Connection, work: Sequence[Work]
    ) -> Sequence[Outcome | None]:
        try:
            await self._get_to_know(connection, {commit.session_id for commit, _ in work})
        except _ERRORS as error:
            raise NothingDone(self._dialect.failure(error), error) from error
        drafted = draft_together(hold_known(self._known, work), work, {})
        # What only refuses or repeats has nothing to be checked with.
        drafts = {draft.session.id: draft for draft in drafted.drafts if draft.messages}
        keys = [
            idempotency_values(to_record(commit, commit.idempotency, committed))
            for commit, committed in drafted.fresh
            if commit.idempotency is not None and commit.session_id in drafts
        ]
        befores = [self._known.get(session_id) for session_id in drafts]
        known = [before for before in befores if before is not None]
        written: dict[SessionId, str] = {}
        if drafts:
            rows = list(drafts.values())
            outcomes = [
                outcome if commit.session_id in drafts else None
                for outcome, (commit, _) in zip(drafted.outcomes, work, strict=True)
            ]
            written = await self._write(connection, known, rows, keys, outcomes)
        for session_id, draft in drafts.items():
            version = written.get(session_id)
            if version is None:
                self._known.forget(session_id)
            else:
                self._known.note(Known(draft.session, draft.archived_through, version))
        self._known.settle()
        return [
            outcome if commit.session_id in written else None
            for outcome, (commit, _) in zip(drafted.outcomes, work, strict=True)
        ]

    async def _get_to_know(
        self, connection: asyncpg.Connection, session_ids: set[SessionId]
    ) -> None:
        """Reads the sessions that are not known yet."""
        unknown = [one for one in session_ids if self._known.get(one) is None]
        if not unknown:
            return
        for *state, archived_through, version in await self._fetch(
            connection, _READ_SESSIONS, [unknown]
        ):
            self._known.note(Known(to_session(state), archived_through, version))

    async def _fetch(
        self, connection: asyncpg.Connection, statement: str, values: Sequence[Any]
    ) -> Sequence[Sequence[Any]]:
        announce(self._engine, statement, values)
        rows: Sequence[Sequence[Any]] = await connection.fetch(statement, *values)
        return rows

    async def _write(
        self,
        connection: asyncpg.Connection,
        known: Sequence[Known],
        drafts: Sequence[Draft],
        keys: Sequence[tuple[Any, ...]],
        outcomes: Sequence[Outcome | None],
    ) -> dict[SessionId, str]:
        """Writes what the sessions that are as they were known get; returns their versions."""
        named = [
            [(draft.session.id, one) for draft in drafts for one in draft.named.get(table, ())]
            for table in (users, agents)
        ]
        shape = Shape(bool(keys), any(named))
        values = [*_session_arrays(known, drafts), *_message_arrays(drafts)]
        if shape.keys:
            values += _arrays(keys, len(keys[0]))
        if shape.names:
            values += [array for rows in named for array in _arrays(rows, 2)]
        announce(self._engine, append_statement(shape), values)
        try:
            prepared = await self._prepare(connection, shape)
        except _ERRORS as error:
            raise NothingDone(self._dialect.failure(error), error) from error
        try:
            return dict(map(tuple, await prepared.fetch(*values)))
        except _ERRORS as error:
            failure = self._dialect.failure(error)
            if failure is Failure.DISCONNECTED:
                raise Interrupted(failure, outcomes, known) from error
            raise NothingDone(failure, error) from error

    async def _prepare(self, connection: asyncpg.Connection, shape: Shape) -> Any:
        if connection not in self._prepared:
            # A statement holds on to its connection, so those that are closed are let go of here.
            mine = self._prepared.items()
            open_ones = {one: prepared for one, prepared in mine if not one.is_closed()}
            self._prepared = {**open_ones, connection: {}}
        prepared = self._prepared[connection]
        if shape not in prepared:
            name = f"scrollback_append_{shape.keys:d}{shape.names:d}"
            prepared[shape] = await connection.prepare(append_statement(shape), name=name)
        return prepared[shape]


def _session_arrays(known: Sequence[Known], drafts: Sequence[Draft]) -> list[Sequence[Any]]:
    rows = [
        (
            before.session.id,
            owner_to_column(before.session.owner_id),
            before.session.revision,
            before.version,
            *added_values(draft.session),
        )
        for before, draft in zip(known, drafts, strict=True)
    ]
    return _arrays(rows, 4 + len(ADDED_COLUMNS))


def _message_arrays(drafts: Sequence[Draft]) -> list[Sequence[Any]]:
    """Returns the contents of the messages, and of each its event's revision and its tokens."""
    rows = [
        (
            *message[: len(CONTENT)],
            event[1],
            event[3],
            " ".join(set(tokens_of(text.normal).split(" "))) if text.normal else None,
        )
        for draft in drafts
        for message, event, text in zip(draft.messages, draft.events, draft.texts, strict=True)
    ]
    return _arrays(rows, len(CONTENT) + 3)


def _arrays(rows: Sequence[tuple[Any, ...]], width: int) -> list[Sequence[Any]]:
    return list(zip(*rows, strict=True)) if rows else [()] * width
