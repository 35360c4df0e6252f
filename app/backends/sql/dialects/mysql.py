"""MariaDB and MySQL on asyncmy.

MariaDB has no lateral join, and reads the whole session where a range of its messages comes from
another table: what pages and logs ask for is therefore one SELECT a request, joined by UNION ALL
into one statement, so that every range is one of constants.

asyncmy rather than aiomysql: it reads a row in a third of the time, and is the one of the two that
had a release in the year of this writing.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from operator import itemgetter
from typing import Any

import orjson
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
    TextClause,
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
from app.backends.sql.dialects.dialect import DATABASE_ERRORS, NO_BOUND, Bound, Failure, columns
from app.backends.sql.dialects.mysql_search import SHORTEST_WORD, MysqlSearchIndex
from app.backends.sql.dialects.server import (
    MIGRATION_SECONDS,
    ServerDialect,
    show,
)
from app.backends.sql.dialects.server_options import ServerOptions, driver_options, options_of
from app.backends.sql.rows import (
    EVENT_COLUMNS,
    IDEMPOTENCY_COLUMNS,
    MESSAGE_COLUMNS,
    SESSION_COLUMNS,
)
from app.backends.sql.tables import sessions
from app.model.errors import StoreUnavailable, StoreUnusable
from app.model.paging import Take

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
        return _joined(_find_sessions(self._collation, owner is not None), keys, owner)

    def get_messages(self, ids: Sequence[tuple[str, int]], owner: str | None) -> Bound:
        return _joined(_get_messages(self._collation, owner is not None), ids, owner)

    def page_messages(
        self,
        take: Take,
        limit: int,
        requests: Sequence[tuple[str, int, int, int]],
        owner: str | None,
        wanted: frozenset[str] | None,
    ) -> Bound:
        statement = _page_messages(take, limit, len(requests), owner is not None, wanted)
        return _united(statement, requests, ("session", "after", "before", "archive"), owner)

    def read_logs(
        self, reads: Sequence[tuple[str, str | None, int, int]], owner: str | None
    ) -> Bound:
        statement = _read_logs(len(reads), owner is not None)
        return _united(statement, reads, ("session", "epoch", "after", "size"), owner)

    def lock_sessions(self, ids: Sequence[tuple[str, str | None]], *, wait: bool) -> Bound:
        return _joined(_lock_sessions(self._collation, wait), sorted(ids, key=itemgetter(0)), None)

    def find_attempts(self, keys: Sequence[tuple[str, str]]) -> Bound:
        return _joined(_find_attempts(self._collation), keys, None)

    def update_sessions(
        self,
        connection: Connection,
        names: tuple[str, ...],
        changes: Sequence[dict[str, Any]],
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


def _joined(statement: TextClause, rows: Sequence[tuple[Any, ...]], owner: str | None) -> Bound:
    parameters: dict[str, Any] = {"rows": orjson.dumps(rows).decode()}
    if owner is not None:
        parameters["owner"] = owner
    return statement, parameters


def _united(
    statement: TextClause,
    rows: Sequence[tuple[Any, ...]],
    names: tuple[str, ...],
    owner: str | None,
) -> Bound:
    parameters = {
        f"{name}{number}": value
        for number, row in enumerate(rows)
        for name, value in zip(names, row, strict=True)
    }
    if owner is not None:
        parameters["owner"] = owner
    return statement, parameters


def _in_scope(scoped: bool) -> str:
    return "AND s.owner_id = :owner" if scoped else ""


def _key(name: str, length: int, place: int, collation: str) -> str:
    # In the collation of the tables: compared in another, their indexes would not serve.
    kind = f"VARCHAR({length}) CHARACTER SET utf8mb4 COLLATE {collation}"
    return f"{name} {kind} PATH '$[{place}]'"


@lru_cache(maxsize=4)
def _lock_sessions(collation: str, wait: bool) -> TextClause:
    return text(
        f"""
        SELECT r.owner_id, {columns(SESSION_COLUMNS, "s")}, s.archived_through
        FROM JSON_TABLE(:rows, '$[*]' COLUMNS (
            {_key("id", 32, 0, collation)}, {_key("owner_id", 200, 1, collation)})) r
        STRAIGHT_JOIN sessions s ON s.id = r.id
        AND (r.owner_id IS NULL OR s.owner_id = r.owner_id)
        FOR UPDATE {"" if wait else "SKIP LOCKED"}
        """  # noqa: S608 - nothing in it comes from a client
    )


@lru_cache(maxsize=2)
def _find_attempts(collation: str) -> TextClause:
    return text(
        f"""
        SELECT {columns(IDEMPOTENCY_COLUMNS, "k")}
        FROM JSON_TABLE(:rows, '$[*]' COLUMNS (
            {_key("session_id", 32, 0, collation)}, {_key("name", 255, 1, collation)})) r
        STRAIGHT_JOIN idempotency_keys k ON k.session_id = r.session_id AND k.key = r.name
        """  # noqa: S608 - nothing in it comes from a client
    )


@lru_cache(maxsize=4)
def _find_sessions(collation: str, scoped: bool) -> TextClause:
    return text(
        f"""
        SELECT {columns(SESSION_COLUMNS, "s")}
        FROM JSON_TABLE(:rows, '$[*]' COLUMNS (
            {_key("owner_id", 200, 0, collation)}, {_key("name", 512, 1, collation)})) r
        STRAIGHT_JOIN sessions s ON s.owner_id = r.owner_id AND s.key = r.name {_in_scope(scoped)}
        """  # noqa: S608 - nothing in it comes from a client
    )


@lru_cache(maxsize=4)
def _get_messages(collation: str, scoped: bool) -> TextClause:
    return text(
        f"""
        SELECT {columns(MESSAGE_COLUMNS, "m")}
        FROM JSON_TABLE(:rows, '$[*]' COLUMNS (
            {_key("session_id", 32, 0, collation)}, sequence BIGINT PATH '$[1]')) r
        STRAIGHT_JOIN sessions s ON s.id = r.session_id {_in_scope(scoped)}
        STRAIGHT_JOIN messages m ON m.session_id = s.id AND m.sequence = r.sequence
        """  # noqa: S608 - nothing in it comes from a client
    )


@lru_cache(maxsize=256)
def _page_messages(
    take: Take, limit: int, count: int, scoped: bool, wanted: frozenset[str] | None
) -> TextClause:
    direction = "DESC" if take is Take.LAST else "ASC"
    selects = []
    for n in range(count):
        low = f"IF(:archive{n} = 1, archived_through, 0)"
        high = f"IF(:archive{n} = 2, archived_through, {NO_BOUND})"
        border = f"FROM sessions WHERE id = :session{n}"
        # The page is a table of its own: ordered after the join, all messages would be read.
        selects.append(
            f"""(
            SELECT {n} AS number,
                   :after{n} > 0 AND EXISTS (
                       SELECT 1 FROM messages b WHERE b.session_id = :session{n}
                       AND b.sequence > {low} AND b.sequence <= LEAST(:after{n}, {high})),
                   :before{n} < {NO_BOUND} AND EXISTS (
                       SELECT 1 FROM messages b WHERE b.session_id = :session{n}
                       AND b.sequence > GREATEST(:before{n} - 1, {low}) AND b.sequence <= {high}),
                   {columns(MESSAGE_COLUMNS, "m", wanted)}
            FROM sessions s LEFT JOIN (
                SELECT * FROM messages i WHERE i.session_id = :session{n}
                AND i.sequence > GREATEST(:after{n}, (SELECT {low} {border}))
                AND i.sequence < LEAST(:before{n}, (SELECT {high} + 1 {border}))
                ORDER BY i.sequence {direction} LIMIT {limit + 1}) m ON TRUE
            WHERE s.id = :session{n} {_in_scope(scoped)})"""  # noqa: S608 - as above
        )
    return text("\nUNION ALL\n".join(selects))


@lru_cache(maxsize=128)
def _read_logs(count: int, scoped: bool) -> TextClause:
    selects = []
    for n in range(count):
        gap = f"(COALESCE(:epoch{n} <> s.epoch, FALSE) OR :after{n} > s.revision)"
        selects.append(
            f"""(
            SELECT {n} AS number, s.epoch, s.revision AS top, {gap},
                   {columns(EVENT_COLUMNS, "e")}, {columns(MESSAGE_COLUMNS, "m")}
            FROM sessions s
            LEFT JOIN events e ON e.session_id = :session{n} AND NOT {gap}
                AND e.revision > :after{n} AND e.revision <= :after{n} + :size{n}
            LEFT JOIN messages m ON m.session_id = e.session_id AND m.sequence = e.sequence
            WHERE s.id = :session{n} {_in_scope(scoped)})"""  # noqa: S608 - as above
        )
    return text("\nUNION ALL\n".join(selects) + "\nORDER BY number, revision")
