"""The index of a store as a file that anything may happen to."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def delete_index(root: Path) -> None:
    """Deletes the index of the store in a folder."""
    for path in root.glob("index.db*"):
        path.unlink()


def change_index(root: Path, statement: str) -> None:
    """Changes the index of the store in a folder behind its back."""
    with closing(sqlite3.connect(root / "index.db", isolation_level=None)) as connection:
        connection.execute(statement)
