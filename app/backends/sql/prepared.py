"""Statements of SQLAlchemy as the text that a driver takes, compiled once.

Compiling a statement and running it through SQLAlchemy's asynchronous execution costs several
times what the database does for it; so where it matters, statements are SQLAlchemy's and the
execution is the driver's own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeAlias

from sqlalchemy import ClauseElement
from sqlalchemy.engine import Dialect

Query: TypeAlias = tuple[ClauseElement, Mapping[str, Any]]
"""A statement with the values of its named parameters."""

_MOST = 512
"""Statements kept compiled; those used longest ago give way."""


class Prepared:
    """A statement's text, and how its parameters are put into the order of the text."""

    __slots__ = ("_fixed", "_pick", "text")

    def __init__(self, text: str, names: Sequence[str], fixed: Mapping[str, Any]) -> None:
        """`fixed` are the values that the statement brings along, by the names it gave them."""
        self.text = text
        self._pick = _picker(names)
        self._fixed = {name: value for name, value in fixed.items() if value is not None}

    def values(self, given: Mapping[str, Any]) -> tuple[Any, ...]:
        """Returns the values in the order of the text. KeyError where one is missing."""
        if self._fixed:
            given = {**self._fixed, **given}
        return self._pick(given)


def _picker(names: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Returns what puts the values of a mapping into the order of some names."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda given: tuple([given[name] for name in names])


class PreparedStatements:
    """The statements of one store, each compiled when it is first run."""

    def __init__(self, dialect: Dialect) -> None:
        """Takes SQLAlchemy's dialect of the driver, whose parameters must be by position."""
        self._dialect = dialect
        self._kept: OrderedDict[ClauseElement, Prepared] = OrderedDict()

    def get(self, statement: ClauseElement) -> Prepared:
        """Returns a statement compiled. The same object is the same statement."""
        prepared = self._kept.get(statement)
        if prepared is None:
            prepared = self._kept[statement] = self._compile(statement)
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(statement)
        return prepared

    def _compile(self, statement: ClauseElement) -> Prepared:
        compiled = statement.compile(dialect=self._dialect)
        names: Sequence[str] = getattr(compiled, "positiontup", None) or ()
        return Prepared(str(compiled), names, compiled.params)
