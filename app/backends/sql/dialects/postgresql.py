"""PostgreSQL on asyncpg. What is asked for comes in as arrays, and lateral joins read by index."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import asyncpg
from sqlalchemy import (
    ARRAY,
    URL,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Executable,
    Table,
    Text,
    TextClause,
    any_,
    bindparam,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import QueuePool

from app.backends.protocol import Finding, Severity
from app.backends.sql.appends import Appends
from app.backends.sql.dialects.dialect import (
    NO_BOUND,
    Bound,
    Failure,
    PageBounds,
    PageShape,
    columns,
)
from app.backends.sql.dialects.packed_messages import packed_items, within
from app.backends.sql.dialects.postgresql_appends import PostgresqlAppends
from app.backends.sql.dialects.postgresql_connections import DRIVER_ERRORS
from app.backends.sql.dialects.postgresql_reads import PostgresqlReads
from app.backends.sql.dialects.postgresql_search import PostgresqlSearchIndex
from app.backends.sql.dialects.server import (
    MIGRATION_SECONDS,
    ServerDialect,
    show,
)
from app.backends.sql.dialects.server_options import ServerOptions, driver_options, options_of
from app.backends.sql.reads import Reads
from app.backends.sql.rows import (
    EVENT_COLUMNS,
    IDEMPOTENCY_COLUMNS,
    MESSAGE_COLUMNS,
    SESSION_COLUMNS,
)
from app.model.errors import StoreUnusable
from app.model.message import MessageScope
from app.model.paging import Take

_OLDEST = 13
"""The oldest release that its authors still mended when this was written, less one."""

_MIGRATION_LOCK = 0x5363726F6C6C
"""The advisory lock of migrations: a number that no other program is likely to use."""

_BY_STATE = {
    "40001": Failure.BUSY,  # serialization_failure
    "40P01": Failure.BUSY,  # deadlock_detected
    "55P03": Failure.BUSY,  # lock_not_available
    "53300": Failure.BUSY,  # too_many_connections
    "53100": Failure.FULL,  # disk_full
    "53200": Failure.FULL,  # out_of_memory
    "25006": Failure.READ_ONLY,  # read_only_sql_transaction
    "42501": Failure.FORBIDDEN,  # insufficient_privilege
    "57P01": Failure.DISCONNECTED,  # admin_shutdown
    "57P02": Failure.DISCONNECTED,  # crash_shutdown
    "57P03": Failure.DISCONNECTED,  # cannot_connect_now
    "23505": Failure.CONTRADICTED,  # unique_violation
    "23503": Failure.CONTRADICTED,  # foreign_key_violation
}
_BY_CLASS = {"08": Failure.DISCONNECTED, "22": Failure.INVALID, "54": Failure.INVALID}
"""Of the codes of https://www.postgresql.org/docs/current/errcodes-appendix.html."""


class PostgresqlDialect(ServerDialect):
    """PostgreSQL 13 and newer."""

    name = "postgresql"
    transactional_ddl = True
    merges = True
    search = PostgresqlSearchIndex()
    driver_errors = DRIVER_ERRORS

    def driver_url(self, url: URL) -> URL:
        options = driver_options(url, show(url), ("host", "sslmode"))
        if "sslmode" in options:
            options["ssl"] = options.pop("sslmode")
        return url.set(drivername="postgresql+asyncpg", query=options)

    def driver_arguments(self, url: URL) -> dict[str, Any]:
        asked = options_of(url)
        settings = {
            "application_name": "scrollback",
            "lock_timeout": f"{asked.lock_timeout}s",
            # Statements here are many and short: compiling one takes longer than it runs.
            "jit": "off",
        }
        return {"timeout": asked.connect_timeout, "server_settings": settings}

    def prepare(self, engine: AsyncEngine, options: ServerOptions) -> None:
        """Nothing: settings come with the connection."""

    def create_reads(self, engine: AsyncEngine, url: URL) -> Reads:
        pool = engine.pool
        return PostgresqlReads(
            engine,
            self.driver_url(url),
            self.driver_arguments(url),
            size=pool.size() if isinstance(pool, QueuePool) else 1,
            wait_seconds=options_of(url).pool_timeout,
        )

    def create_appends(self, engine: AsyncEngine, url: URL, *, size: int) -> Appends:
        return PostgresqlAppends(
            self,
            engine.sync_engine,
            self.driver_url(url),
            self.driver_arguments(url),
            size=size,
            wait_seconds=options_of(url).pool_timeout,
        )

    def require_version(self, connection: Connection) -> None:
        version = int((connection.dialect.server_version_info or (0,))[0])
        if version < _OLDEST:
            raise StoreUnusable(
                f"this server is PostgreSQL {version}, Scrollback needs {_OLDEST} or newer"
            )

    def one_of(self, column: Column[Any], count: int) -> ColumnElement[bool]:
        return column == any_(bindparam("ids", type_=ARRAY(Text)))

    def ids(self, values: Sequence[str]) -> dict[str, Any]:
        return {"ids": list(values)}

    def find_sessions(self, keys: Sequence[tuple[str, str]], owner: str | None) -> Bound:
        return _bound(_find_sessions(owner is not None), keys, 2, owner)

    def get_messages(self, ids: Sequence[tuple[str, int]], owner: str | None) -> Bound:
        return _bound(_get_messages(owner is not None), ids, 2, owner)

    def page_messages(
        self, shape: PageShape, requests: Sequence[PageBounds], owner: str | None
    ) -> Bound:
        return _bound(_page_messages(shape, owner is not None), requests, 4, owner)

    def packed_message_pages(
        self, shape: PageShape, requests: Sequence[PageBounds], owner: str | None
    ) -> Bound | None:
        return _bound(_packed_message_pages(shape, owner is not None), requests, 4, owner)

    def packed_end_pages(
        self, shape: PageShape, scope: MessageScope, ids: Sequence[str], owner: str | None
    ) -> Bound | None:
        statement = _packed_end_pages(shape, scope, owner is not None)
        return _bound(statement, [(one,) for one in ids], 1, owner)

    def read_logs(
        self, reads: Sequence[tuple[str, str | None, int, int]], owner: str | None
    ) -> Bound:
        return _bound(_read_logs(owner is not None), reads, 4, owner)

    def lock_sessions(self, ids: Sequence[tuple[str, str | None]], *, wait: bool) -> Bound:
        return _bound(_lock_sessions(wait), ids, 2, None)

    def find_attempts(self, keys: Sequence[tuple[str, str]]) -> Bound:
        return _bound(_find_attempts(), keys, 2, None)

    def contains(
        self, column: ColumnElement[str], part: ColumnElement[str] | str
    ) -> ColumnElement[bool]:
        return func.strpos(column, part) > 0

    def insert_missing(self, table: Table) -> Executable:
        return insert(table).on_conflict_do_nothing()

    def insert_or_update(self, table: Table, *names: str) -> Executable:
        statement = insert(table)
        return statement.on_conflict_do_update(
            index_elements=list(table.primary_key),
            set_={name: statement.excluded[name] for name in names},
        )

    @contextmanager
    def migrating(self, connection: Connection) -> Iterator[None]:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{MIGRATION_SECONDS}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        yield

    def failure(self, error: Exception) -> Failure:
        if isinstance(error, PoolTimeout):
            return Failure.BUSY
        if isinstance(error, (OSError, EOFError, asyncpg.InternalClientError)):
            # The last is what asyncpg says between the server's last word and the end.
            return Failure.DISCONNECTED
        cause = error.orig if isinstance(error, DBAPIError) else error
        state = getattr(cause, "sqlstate", None) or ""
        known = _BY_STATE.get(state) or _BY_CLASS.get(state[:2])
        if known is not None:
            return known
        said = str(cause)
        if "invalid input for query argument" in said:
            return Failure.INVALID
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            return Failure.DISCONNECTED
        closed = "closed" in said or "another operation is in progress" in said
        return Failure.DISCONNECTED if closed else Failure.OTHER

    def refusal(self, error: Exception, url: URL) -> StoreUnusable:
        place, state = show(url), getattr(getattr(error, "orig", None), "sqlstate", None) or ""
        if state.startswith("28"):
            return StoreUnusable(f"{place} refused this user or password: check the store's URL")
        if state == "3D000":
            return StoreUnusable(
                f"{place}: there is no such database; create it with `createdb {url.database}`"
            )
        if state == "42501":
            return StoreUnusable(
                f"{place}: this user may not create tables; grant CREATE on its schema"
            )
        return self.refuse(error, url, f"PostgreSQL says {state or 'nothing'}")

    async def findings(self, connection: AsyncConnection) -> AsyncIterator[Finding]:
        off = []
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            value = (await connection.exec_driver_sql(f"SHOW {setting}")).scalar()
            if value == "off":
                off.append(setting)
        if off:
            yield Finding(
                Severity.WARNING,
                "DURABILITY_OFF",
                f"PostgreSQL runs with {' and '.join(off)} off: what was acknowledged can be lost "
                "when the machine stops",
                f"Set {' and '.join(off)} to on in postgresql.conf.",
            )


def _bound(
    statement: TextClause, rows: Sequence[tuple[Any, ...]], width: int, owner: str | None
) -> Bound:
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
def _lock_sessions(wait: bool) -> TextClause:
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
def _find_attempts() -> TextClause:
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
def _find_sessions(scoped: bool) -> TextClause:
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
def _get_messages(scoped: bool) -> TextClause:
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
def _page_messages(shape: PageShape, scoped: bool) -> TextClause:
    take, limit, wanted = shape
    return _of_pages(
        f"""
        {_pages(scoped)}
        SELECT r.number - 1, r.has_before, r.has_behind, {columns(MESSAGE_COLUMNS, "m", wanted)}
        FROM page r LEFT JOIN LATERAL ({_items(take, limit)}) m ON true
        """  # noqa: S608 - nothing in it comes from a client
    )


@lru_cache(maxsize=256)
def _packed_message_pages(shape: PageShape, scoped: bool) -> TextClause:
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
def _packed_end_pages(shape: PageShape, scope: MessageScope, scoped: bool) -> TextClause:
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
def _read_logs(scoped: bool) -> TextClause:
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
