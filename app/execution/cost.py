"""How many objects an operation may ask for: compiled once a document, evaluated per request.

Counted are selections of an object, interface or union type, multiplied through the pages and
lists around them; scalars are free, and so are the wrappers of a Relay connection (the connection,
its `edges` and its `pageInfo`), so that a page of 20 sessions costs 20. Fragments count wherever
they are spread: two that select the same field count it twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class VariableUse:
    """The place of an argument's value that a request supplies."""

    name: str


@dataclass(frozen=True, slots=True)
class PageSize:
    """The size of a page: `first` or `last`, the larger if both are given, else `default`.

    `given` holds the values of those of the two that the document writes, and the schema's
    defaults of the others. A negative size counts nothing: the field refuses it.
    """

    given: tuple[int | VariableUse, ...]
    default: int

    def items(self, variables: Mapping[str, Any]) -> int:
        """Returns how many items a request with these coerced variables asks for."""
        sizes = [
            size
            for size in (
                variables.get(use.name) if isinstance(use, VariableUse) else use
                for use in self.given
            )
            if isinstance(size, int)
        ]
        return max(0, *sizes) if sizes else self.default


@dataclass(frozen=True, slots=True)
class ListLength:
    """The number of values that a list argument such as `ids` has in a request."""

    argument: VariableUse
    default: int

    def items(self, variables: Mapping[str, Any]) -> int:
        """Returns the length, or the default when the variable is absent or null."""
        values = variables.get(self.argument.name)
        return len(values) if isinstance(values, list) else self.default


ItemCount: TypeAlias = int | PageSize | ListLength


@dataclass(frozen=True, slots=True)
class Guard:
    """A `@skip` or `@include` that a variable decides."""

    variable: str
    wanted: bool

    def passes(self, variables: Mapping[str, Any]) -> bool:
        """Tells whether the guarded selection is executed."""
        return bool(variables.get(self.variable, self.wanted)) is self.wanted


@dataclass(frozen=True, slots=True)
class Term:
    """A part of a sum that depends on variables: `items × max(least, own + inside)`."""

    guards: tuple[Guard, ...]
    items: ItemCount
    own: int
    least: int
    inside: Nodes


@dataclass(frozen=True, slots=True)
class Nodes:
    """The count of a selection set: a constant and what depends on variables.

    Shared wherever a fragment is spread, which makes the whole a directed acyclic graph.
    `reused` marks one that a fragment gives, whose value is computed once an evaluation.
    """

    constant: int
    terms: tuple[Term, ...] = ()
    reused: bool = False

    def count(self, variables: Mapping[str, Any]) -> int:
        """Returns the number of nodes for these coerced variables."""
        return self._count(variables, {}) if self.terms else self.constant

    def _count(self, variables: Mapping[str, Any], known: dict[int, int]) -> int:
        if not self.terms:
            return self.constant
        if self.reused and (counted := known.get(id(self))) is not None:
            return counted
        total = self.constant
        for term in self.terms:
            if not all(guard.passes(variables) for guard in term.guards):
                continue
            each = max(term.least, term.own + term.inside._count(variables, known))
            items = term.items
            total += each * (items if isinstance(items, int) else items.items(variables))
        if self.reused:
            known[id(self)] = total
        return total


NOTHING = Nodes(0)


def sum_terms(terms: list[Term], *, reused: bool = False) -> Nodes:
    """Adds terms up, taking into the constant all that no variable changes."""
    constant = 0
    variable: list[Term] = []
    for term in terms:
        fixed = not term.guards and isinstance(term.items, int) and not term.inside.terms
        if fixed and isinstance(term.items, int):
            constant += term.items * max(term.least, term.own + term.inside.constant)
        else:
            variable.append(term)
    return Nodes(constant, tuple(variable), reused and bool(variable))
