"""Running a commit's statements on SQLite's driver itself, inside SQLAlchemy's transaction.

SQLAlchemy prepares every row of a statement anew, which costs more than the row does in SQLite.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import ClauseElement, Connection, Insert, Table, insert
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

from app.backends.sql.prepared import PreparedStatements, Query
from app.backends.sql.reads import announce


class SqliteWrites:
    """The statements of one store's commits. Used from one thread."""

    def __init__(self) -> None:
        # Rows are dictionaries, and the driver looks their values up itself.
        self._statements = PreparedStatements(sqlite.dialect(paramstyle="named"))

    def fetch(self, connection: Connection, query: Query) -> list[Sequence[Any]]:
        """Returns all rows of a statement. Raises `DBAPIError`."""
        statement, parameters = query
        text = self._statements.get(statement).text
        driver = _begun(connection)
        announce(connection.engine, text, parameters)
        with _raised(text):
            return driver.execute(text, parameters).fetchall()

    def insert(
        self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """Adds rows to a table, each with a value for every column. Raises `DBAPIError`."""
        self.run(connection, _insert(table), rows)

    def run(
        self, connection: Connection, statement: ClauseElement, rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """Runs a statement once for each of the rows of parameters. Raises `DBAPIError`."""
        if not rows:
            return
        text = self._statements.get(statement).text
        driver = _begun(connection)
        announce(connection.engine, text, rows[0])
        with _raised(text):
            driver.executemany(text, rows)


@lru_cache(maxsize=16)
def _insert(table: Table) -> Insert:
    return insert(table)


def _begun(connection: Connection) -> sqlite3.Connection:
    if not connection.in_transaction():
        connection.begin()
    driver = connection.connection.dbapi_connection
    if not isinstance(driver, sqlite3.Connection):
        raise TypeError("This is not a connection to SQLite.")
    return driver


@contextmanager
def _raised(text: str) -> Iterator[None]:
    """Raises the driver's errors as SQLAlchemy does, with nothing of the values in them."""
    try:
        yield
    except sqlite3.Error as error:
        raise DBAPIError.instance(text, None, error, sqlite3.Error, hide_parameters=True) from error
