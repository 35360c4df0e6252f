"""The history of the tables: which version a store has, and how it gets to the newest."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

HEAD = "0002"
"""The newest version, named here so that opening an up-to-date store need not read the history."""


def current_version(connection: Connection) -> str | None:
    """Returns the version of a store, None for an empty database."""
    return MigrationContext.configure(connection).get_current_revision()


def known_versions() -> set[str]:
    """Returns every version that this program can read and bring forward."""
    return {step.revision for step in ScriptDirectory.from_config(_config()).walk_revisions()}


def upgrade(connection: Connection, *, transactional: bool) -> None:
    """Brings the tables to the newest version, inside the connection's transaction.

    `transactional`: whether the database undoes a change of tables with its transaction. Where it
    does not, a step after the first must change one thing, so that it is done or not done.
    """
    config = _config()
    config.attributes["connection"] = connection
    config.attributes["transactional"] = transactional
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
