"""What differs between databases, a module each, and the statements that need it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects.sqlite import insert


def insert_missing(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Inserts the rows whose primary key is not there yet; leaves the others as they are."""
    if rows:
        connection.execute(insert(table).on_conflict_do_nothing(), rows)
