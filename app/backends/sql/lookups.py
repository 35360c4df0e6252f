"""Statements that read rows by their ids, built once for each number of parameters they need."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any

from sqlalchemy import Column, Select, Table, bindparam, select

from app.backends.protocol import Scope
from app.backends.sql.dialects.dialect import Dialect
from app.backends.sql.packed import pack_records, pack_sessions
from app.backends.sql.prepared import Query
from app.backends.sql.rows import DELETION_COLUMNS, SESSION_COLUMNS
from app.backends.sql.tables import agents, deletions, profiles, sessions, users

_BY_ID: dict[Table, tuple[tuple[Column[Any], ...], Column[Any], Column[Any] | None]] = {
    sessions: (SESSION_COLUMNS, sessions.c.id, sessions.c.owner_id),
    deletions: (DELETION_COLUMNS, deletions.c.session_id, deletions.c.owner_id),
    users: (tuple(users.c), users.c.id, users.c.id),
    agents: (tuple(agents.c), agents.c.id, None),
    profiles: (tuple(profiles.c), profiles.c.id, None),
}
"""For each table what is read of it, by which column, and which one is the owner's."""


def by_id(
    dialect: Dialect, table: Table, ids: Collection[str], scope: Scope, *, packed: bool = False
) -> Query:
    """Returns the statement that reads the rows with these ids, in scope, in any order.

    `packed`, rows of the id and the record as JSON text.
    """
    given = list(dict.fromkeys(ids))
    scoped = scope.owner is not None and _BY_ID[table][2] is not None
    parameters = dialect.ids(given)
    if scoped:
        parameters["owner"] = scope.owner
    statement = _packed_by_id if packed else _by_id
    return statement(dialect, table, len(parameters) - scoped, scoped), parameters


@lru_cache(maxsize=64)
def _packed_by_id(dialect: Dialect, table: Table, count: int, scoped: bool) -> Select[Any]:
    pack = pack_sessions if table is sessions else pack_records
    return pack(_by_id(dialect, table, count, scoped))


@lru_cache(maxsize=256)
def _by_id(dialect: Dialect, table: Table, count: int, scoped: bool) -> Select[Any]:
    read, key, owner = _BY_ID[table]
    statement = select(*read).where(dialect.one_of(key, count))
    if scoped and owner is not None:
        statement = statement.where(owner == bindparam("owner", type_=owner.type))
    return statement
