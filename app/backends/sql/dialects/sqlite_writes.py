"""Running a commit's statements on SQLite's driver itself, inside SQLAlchemy's transaction.

SQLAlchemy prepares every row of a statement anew, which costs more than the row does in SQLite.
A connection of the asynchronous driver, as long loads and migrations have it, goes SQLAlchemy's
way.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Insert, Table, TextClause, Update, insert
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

from app.backends.sql.dialects.dialect import Bound
from app.backends.sql.prepared import PreparedStatements
from app.backends.sql.reads import announce


class SqliteWrites:
    """The statements of one store's commits. Used from one thread."""

    def __init__(self) -> None:
        self._statements = PreparedStatements(sqlite.dialect())
        self._last: tuple[Connection, sqlite3.Connection | None] | None = None

    def fetch(self, connection: Connection, query: Bound) -> list[Sequence[Any]]:
        """Returns all rows of a statement. Raises `DBAPIError`."""
        statement, parameters = query
        driver = self._begun(connection)
        if driver is None:
            return list(connection.execute(statement, parameters))
        prepared = self._statements.get(statement)
        text, values = prepared.text, prepared.values(parameters)
        if connection.engine.dispatch.before_cursor_execute:
            announce(connection.engine, text, values)
        try:
            return driver.execute(text, values).fetchall()
        except sqlite3.Error as error:
            raise database_error(text, error) from error

    def insert(self, connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Adds rows to a table, in the order of its columns. Raises `DBAPIError`."""
        self.run(connection, _insert(table), rows)

    def run(
        self,
        connection: Connection,
        statement: Insert | Update | TextClause,
        rows: Sequence[tuple[Any, ...]],
    ) -> None:
        """Runs a statement once for each row of parameters, in the order of the statement.

        Raises `DBAPIError`.
        """
        if not rows:
            return
        driver = self._begun(connection)
        text = self._statements.get(statement).text
        if driver is None:
            connection.exec_driver_sql(text, list(rows))
            return
        if connection.engine.dispatch.before_cursor_execute:
            announce(connection.engine, text, rows[0])
        try:
            driver.executemany(text, rows)
        except sqlite3.Error as error:
            raise database_error(text, error) from error

    def _begun(self, connection: Connection) -> sqlite3.Connection | None:
        """Returns the driver's connection, in a transaction; None for one of another driver."""
        if not connection.in_transaction():
            connection.begin()
            self._last = None
        if self._last is None or self._last[0] is not connection:
            driver = connection.connection.dbapi_connection
            self._last = connection, driver if isinstance(driver, sqlite3.Connection) else None
        return self._last[1]


@lru_cache(maxsize=128)
def _insert(table: Table) -> Insert:
    return insert(table)


def database_error(text: str, error: sqlite3.Error) -> BaseException:
    """Returns a driver's error as SQLAlchemy raises it, with nothing of the values in it."""
    return DBAPIError.instance(text, None, error, sqlite3.Error, hide_parameters=True)
