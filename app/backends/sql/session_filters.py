"""Filters of sessions as conditions of a statement.

A condition depends on the shape of a filter alone: which fields it has, not their values.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, bindparam

from app.backends.protocol import Scope
from app.backends.sql.dialects.dialect import Dialect
from app.model.paging import SessionFilter, title_order

_FLAGS = ("archived", "pinned", "starred")
_EQUAL = ("profile_id", "agent_id", "channel")

NO_FILTER = SessionFilter()


class FilterShape(NamedTuple):
    """What makes two filters different conditions."""

    scoped: bool
    flags: tuple[bool | None, ...]
    equal: tuple[bool, ...]
    updated: tuple[bool, bool]
    title: bool


def shape_of(wanted: SessionFilter, scope: Scope) -> FilterShape:
    """Returns the shape of a filter in a scope, its query aside."""
    return FilterShape(
        scope.owner is not None,
        tuple([getattr(wanted, name) for name in _FLAGS]),
        tuple([getattr(wanted, name) is not None for name in _EQUAL]),
        (wanted.updated_since is not None, wanted.updated_until is not None),
        bool(wanted.title),
    )


def parameters_of(wanted: SessionFilter, scope: Scope) -> dict[str, Any]:
    """Returns the values that the conditions of a filter ask for, and maybe more."""
    parameters: dict[str, Any] = {}
    if scope.owner is not None:
        parameters["owner"] = scope.owner
    if wanted is not NO_FILTER:
        parameters |= {name: getattr(wanted, name) for name in _EQUAL}
        parameters["updated_since"] = wanted.updated_since
        parameters["updated_until"] = wanted.updated_until
        parameters["title"] = title_order(wanted.title)
    return parameters


def conditions_of(
    dialect: Dialect, table: FromClause, shape: FilterShape
) -> list[ColumnElement[bool]]:
    """Returns the conditions of a filter on `sessions`, or on an alias of it."""
    conditions: list[ColumnElement[bool]] = []

    def given(name: str, column: str) -> ColumnElement[Any]:
        return bindparam(name, type_=table.c[column].type)

    if shape.scoped:
        conditions.append(table.c.owner_id == given("owner", "owner_id"))
    for name, flag in zip(_FLAGS, shape.flags, strict=True):
        if flag is not None:
            column = table.c[f"{name}_at"]
            conditions.append(column.is_not(None) if flag else column.is_(None))
    for name, present in zip(_EQUAL, shape.equal, strict=True):
        if present:
            conditions.append(table.c[name] == given(name, name))
    since, until = shape.updated
    if since:
        conditions.append(table.c.updated_at >= given("updated_since", "updated_at"))
    if until:
        conditions.append(table.c.updated_at < given("updated_until", "updated_at"))
    if shape.title:
        conditions.append(dialect.contains(table.c.title_order, given("title", "title_order")))
    return conditions
