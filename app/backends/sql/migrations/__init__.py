"""The history of the tables: which version a store has, and how it gets to the newest.

Alembic is imported when there is something to do for it: a server over an up-to-date store does
without the ten megabytes of memory that it takes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, String, column, inspect, select, table

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0002"
"""The newest version, named here so that opening an up-to-date store need not read the history."""

VERSION_TABLE = "alembic_version"
"""Where Alembic keeps the version of a store."""


def current_version(connection: Connection) -> str | None:
    """Returns the version of a store, None for an empty database."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = select(column("version_num", String)).select_from(table(VERSION_TABLE))
    return connection.execute(found).scalar_one_or_none()


def known_versions() -> set[str]:
    """Returns every version that this program can read and bring forward."""
    from alembic.script import ScriptDirectory

    return {step.revision for step in ScriptDirectory.from_config(_config()).walk_revisions()}


def upgrade(connection: Connection, *, transactional: bool) -> None:
    """Brings the tables to the newest version, inside the connection's transaction.

    `transactional`: whether the database undoes a change of tables with its transaction. Where it
    does not, a step after the first must change one thing, so that it is done or not done.
    """
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    config.attributes["transactional"] = transactional
    command.upgrade(config, "head")


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
