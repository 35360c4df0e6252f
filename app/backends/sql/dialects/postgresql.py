"""PostgreSQL on asyncpg. What is asked for comes in as arrays, and lateral joins read by index."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg
from sqlalchemy import (
    ARRAY,
    URL,
    Column,
    ColumnElement,
    Connection,
    Executable,
    Table,
    Text,
    any_,
    bindparam,
    func,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import QueuePool

from app.backends.protocol import Finding, Severity
from app.backends.sql.appends import Appends
from app.backends.sql.dialects import postgresql_statements as statements
from app.backends.sql.dialects.dialect import (
    Bound,
    Failure,
    PageBounds,
    PageShape,
)
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
from app.model.errors import StoreUnusable
from app.model.message import MessageScope

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
        return statements.bound(statements.find_sessions(owner is not None), keys, 2, owner)

    def get_messages(self, ids: Sequence[tuple[str, int]], owner: str | None) -> Bound:
        return statements.bound(statements.get_messages(owner is not None), ids, 2, owner)

    def page_messages(
        self, shape: PageShape, requests: Sequence[PageBounds], owner: str | None
    ) -> Bound:
        return statements.bound(
            statements.page_messages(shape, owner is not None), requests, 4, owner
        )

    def packed_message_pages(
        self, shape: PageShape, requests: Sequence[PageBounds], owner: str | None
    ) -> Bound | None:
        return statements.bound(
            statements.packed_message_pages(shape, owner is not None), requests, 4, owner
        )

    def packed_end_pages(
        self, shape: PageShape, scope: MessageScope, ids: Sequence[str], owner: str | None
    ) -> Bound | None:
        statement = statements.packed_end_pages(shape, scope, owner is not None)
        return statements.bound(statement, [(one,) for one in ids], 1, owner)

    def read_logs(
        self, reads: Sequence[tuple[str, str | None, int, int]], owner: str | None
    ) -> Bound:
        return statements.bound(statements.read_logs(owner is not None), reads, 4, owner)

    def lock_sessions(self, ids: Sequence[tuple[str, str | None]], *, wait: bool) -> Bound:
        return statements.bound(statements.lock_sessions(wait), ids, 2, None)

    def find_attempts(self, keys: Sequence[tuple[str, str]]) -> Bound:
        return statements.bound(statements.find_attempts(), keys, 2, None)

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
