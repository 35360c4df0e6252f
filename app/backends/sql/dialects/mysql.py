"""MariaDB and MySQL on asyncmy.

asyncmy rather than aiomysql: it reads a row in a third of the time, and is the one of the two that
had a release in the year of this writing.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    ColumnElement,
    Connection,
    Executable,
    FromClause,
    Select,
    String,
    Table,
    and_,
    bindparam,
    event,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.backends.protocol import Finding, Severity
from app.backends.sql.dialects import mysql_statements as statements
from app.backends.sql.dialects.dialect import DATABASE_ERRORS, Bound, Failure, PageBounds, PageShape
from app.backends.sql.dialects.mysql_search import SHORTEST_WORD, MysqlSearchIndex
from app.backends.sql.dialects.server import (
    MIGRATION_SECONDS,
    ServerDialect,
    show,
)
from app.backends.sql.dialects.server_options import ServerOptions, driver_options, options_of
from app.backends.sql.tables import sessions
from app.model.errors import StoreUnavailable, StoreUnusable

_OLDEST_MARIADB = (10, 6)
_OLDEST_MYSQL = (8, 0, 19)

_BY_NUMBER = {
    1213: Failure.BUSY,  # deadlock
    1205: Failure.BUSY,  # lock wait timeout
    1020: Failure.BUSY,  # record has changed since last read
    1040: Failure.BUSY,  # too many connections
    1203: Failure.BUSY,  # too many connections of this user
    1053: Failure.DISCONNECTED,  # server shutdown in progress
    1927: Failure.DISCONNECTED,  # connection was killed
    2002: Failure.DISCONNECTED,
    2003: Failure.DISCONNECTED,
    2006: Failure.DISCONNECTED,
    2013: Failure.DISCONNECTED,
    2055: Failure.DISCONNECTED,
    4031: Failure.DISCONNECTED,
    1062: Failure.CONTRADICTED,  # duplicate entry
    1451: Failure.CONTRADICTED,  # foreign key
    1452: Failure.CONTRADICTED,  # foreign key
    1264: Failure.INVALID,  # out of range
    1366: Failure.INVALID,  # incorrect string value
    1406: Failure.INVALID,  # data too long
    1021: Failure.FULL,  # disk full
    1114: Failure.FULL,  # table is full
    1044: Failure.FORBIDDEN,  # access denied to the database
    1142: Failure.FORBIDDEN,  # command denied on the table
    1143: Failure.FORBIDDEN,  # command denied on a column
    1290: Failure.READ_ONLY,  # running with --read-only
    1792: Failure.READ_ONLY,  # read only transaction
    1836: Failure.READ_ONLY,  # running in read only mode
}
"""Of the codes of https://mariadb.com/kb/en/mariadb-error-code-reference/."""


class MysqlDialect(ServerDialect):
    """MariaDB 10.6 and newer, MySQL 8.0.19 and newer."""

    transactional_ddl = False
    search = MysqlSearchIndex()

    def __init__(self, *, is_mariadb: bool) -> None:
        self.name = "mariadb" if is_mariadb else "mysql"
        self._collation = "utf8mb4_nopad_bin" if is_mariadb else "utf8mb4_0900_bin"

    def driver_url(self, url: URL) -> URL:
        options = driver_options(url, show(url), ("ssl", "unix_socket"))
        options.pop("ssl", None)
        options["charset"] = "utf8mb4"
        return url.set(drivername=f"{self.name}+asyncmy", query=options)

    def driver_arguments(self, url: URL) -> dict[str, Any]:
        arguments: dict[str, Any] = {"connect_timeout": options_of(url).connect_timeout}
        if url.query.get("ssl") in ("true", "1", "required"):
            arguments["ssl"] = ssl.create_default_context()
        return arguments

    def prepare(self, engine: AsyncEngine, options: ServerOptions) -> None:
        # It logs notes of the server that nobody can act on, such as on the name of a key.
        logging.getLogger("asyncmy").setLevel(logging.ERROR)

        @event.listens_for(engine.sync_engine, "connect")
        def connect(connection: Any, _record: Any) -> None:
            cursor = connection.cursor()
            cursor.execute(
                # Without strictness what is too long is cut, not refused.
                "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
                f"innodb_lock_wait_timeout = {options.lock_timeout}"
            )
            cursor.close()

    def require_version(self, connection: Connection) -> None:
        version = connection.dialect.server_version_info or (0,)
        oldest = _OLDEST_MARIADB if self.name == "mariadb" else _OLDEST_MYSQL
        if version < oldest:
            raise StoreUnusable(
                f"this server is {self.name} {'.'.join(map(str, version))}, Scrollback needs "
                f"{'.'.join(map(str, oldest))} or newer"
            )

    def one_of(self, column: Column[Any], count: int) -> ColumnElement[bool]:
        return column.in_([bindparam(f"id{number}", type_=String) for number in range(count)])

    def ids(self, values: Sequence[str]) -> dict[str, Any]:
        return {f"id{number}": value for number, value in enumerate(values)}

    def find_sessions(self, keys: Sequence[tuple[str, str]], owner: str | None) -> Bound:
        return statements.joined(
            statements.find_sessions(self._collation, owner is not None), keys, owner
        )

    def get_messages(self, ids: Sequence[tuple[str, int]], owner: str | None) -> Bound:
        return statements.joined(
            statements.get_messages(self._collation, owner is not None), ids, owner
        )

    def page_messages(
        self, shape: PageShape, requests: Sequence[PageBounds], owner: str | None
    ) -> Bound:
        statement = statements.page_messages(shape, len(requests), owner is not None)
        return statements.united(
            statement, requests, ("session", "after", "before", "archive"), owner
        )

    def read_logs(
        self, reads: Sequence[tuple[str, str | None, int, int]], owner: str | None
    ) -> Bound:
        statement = statements.read_logs(len(reads), owner is not None)
        return statements.united(statement, reads, ("session", "epoch", "after", "size"), owner)

    def lock_sessions(self, ids: Sequence[tuple[str, str | None]], *, wait: bool) -> Bound:
        return statements.joined(
            statements.lock_sessions(self._collation, wait), sorted(ids, key=itemgetter(0)), None
        )

    def find_attempts(self, keys: Sequence[tuple[str, str]]) -> Bound:
        return statements.joined(statements.find_attempts(self._collation), keys, None)

    def update_sessions(
        self,
        connection: Connection,
        names: tuple[str, ...],
        changes: Sequence[tuple[Any, ...]],
        whole: Callable[[], Sequence[dict[str, Any]]],
    ) -> None:
        # An UPDATE is sent for each row, this is one for all: the rows are there, and locked.
        if len(changes) == 1:
            super().update_sessions(connection, names, changes, whole)
        else:
            connection.execute(self.insert_or_update(sessions, *names), whole())

    def past(
        self, place: tuple[Any, ...], bound: tuple[Any, ...], *, forward: bool, inclusive: bool
    ) -> ColumnElement[bool]:
        # A comparison of rows is not served by an index here.
        (value, *values), (at, *others) = place, bound
        beyond: ColumnElement[bool] = value > at if forward else value < at
        if not values:
            return or_(beyond, value == at) if inclusive else beyond
        tied = self.past(tuple(values), tuple(others), forward=forward, inclusive=inclusive)
        return or_(beyond, and_(value == at, tied))

    def by_index(self, statement: Select[Any], table: FromClause, index: str) -> Select[Any]:
        # Left to itself it sorts the whole table when it thinks it small.
        return statement.with_hint(table, f"FORCE INDEX ({index})")

    def insert_missing(self, table: Table) -> Executable:
        # IGNORE would let other errors pass as well, and cut what is too long.
        key = next(iter(table.primary_key))
        return insert(table).on_duplicate_key_update({key.name: key})

    def insert_or_update(self, table: Table, *names: str) -> Executable:
        statement = insert(table)
        return statement.on_duplicate_key_update({name: statement.inserted[name] for name in names})

    def add_missing(
        self, connection: Connection, table: Table, rows: Sequence[dict[str, Any]]
    ) -> None:
        # Looked up first: inserting what is there locks it, and all sessions of one owner would
        # wait for each other.
        keys = list(table.primary_key)
        if len(keys) == 1 and rows:
            (key,) = keys
            wanted = [row[key.name] for row in rows]
            known = set(connection.scalars(select(key).where(key.in_(wanted))))
            rows = [row for row in rows if row[key.name] not in known]
        super().add_missing(connection, table, rows)

    @contextmanager
    def migrating(self, connection: Connection) -> Iterator[None]:
        # Names of locks are the server's, not the database's, and at most 64 characters.
        name = "concat('scrollback-', md5(database()))"
        got = connection.scalar(text(f"SELECT GET_LOCK({name}, {MIGRATION_SECONDS})"))
        if got != 1:
            raise StoreUnavailable("another process has been migrating the store for too long")
        try:
            yield
        finally:
            connection.execute(text(f"SELECT RELEASE_LOCK({name})"))

    def failure(self, error: Exception) -> Failure:
        if isinstance(error, PoolTimeout):
            return Failure.BUSY
        if not isinstance(error, DBAPIError):
            return Failure.DISCONNECTED if isinstance(error, (OSError, EOFError)) else Failure.OTHER
        number = _number(error)
        known = _BY_NUMBER.get(number)
        if known is not None:
            return known
        if number == 1030 and "28" in str(error.orig):
            return Failure.FULL
        return Failure.DISCONNECTED if error.connection_invalidated else Failure.OTHER

    def refusal(self, error: Exception, url: URL) -> StoreUnusable:
        place, number = show(url), _number(error)
        if number == 1045:
            return StoreUnusable(f"{place} refused this user or password: check the store's URL")
        if number == 1049:
            return StoreUnusable(
                f"{place}: there is no such database; create it with CREATE DATABASE {url.database}"
            )
        if number in (1044, 1142):
            return StoreUnusable(f"{place}: this user may not create tables; grant it ALL on it")
        return self.refuse(error, url, f"error {number} of the server")

    async def findings(self, connection: AsyncConnection) -> AsyncIterator[Finding]:
        flush = await connection.scalar(text("SELECT @@innodb_flush_log_at_trx_commit"))
        if flush != 1:
            yield Finding(
                Severity.WARNING,
                "DURABILITY_OFF",
                f"the server runs with innodb_flush_log_at_trx_commit = {flush}: what was "
                "acknowledged can be lost when the machine stops",
                "Set innodb_flush_log_at_trx_commit = 1 in the server's configuration.",
            )
        shortest = await connection.scalar(text("SELECT @@innodb_ft_min_token_size"))
        if shortest > SHORTEST_WORD:
            yield Finding(
                Severity.ERROR,
                "SEARCH_LEAVES_OUT",
                f"the server runs with innodb_ft_min_token_size = {shortest}: terms of few "
                "characters are not found",
                f"Set innodb_ft_min_token_size to at most {SHORTEST_WORD}, restart the server, "
                "and run ALTER TABLE search_entries FORCE in the store's database.",
            )


async def recognize(url: URL) -> MysqlDialect:
    """Returns the dialect of the server at a URL, whichever of the two names the URL gives it.

    Raises `StoreUnusable` where the server can't be asked.
    """
    dialect = MysqlDialect(is_mariadb=False)
    engine = dialect.create_reader(url)
    try:
        async with engine.connect() as connection:
            version = str(await connection.scalar(text("SELECT VERSION()")))
    except DATABASE_ERRORS as error:
        raise dialect.refusal(error, url) from error
    finally:
        await engine.dispose()
    return MysqlDialect(is_mariadb="mariadb" in version.lower())


def _number(error: Exception) -> int:
    arguments = getattr(getattr(error, "orig", None), "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else 0
