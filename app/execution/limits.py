"""The limits of a request, and the check of those that the document alone decides.

Fragments are measured once each and their measures added up where they are spread, so that the
work grows with the length of a document and never with what its fragments expand to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
)

from app.execution.fragments import fragments_inner_first

INTROSPECTION_ROOTS = frozenset({"__schema", "__type"})


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What one request may ask for.

    Depth, aliases and directives are counted as if every fragment were written out where it is
    spread. Introspection is counted apart, since its queries are deep, cost no storage and have
    one known shape.
    """

    document_characters: int = 100_000
    """Characters of a document; tokens don't bound the length of a string or a comment."""
    tokens: int = 1_000
    comments: int = 500
    depth: int = 12
    """Levels of nested fields; a field of the root is at level 1."""
    aliases: int = 30
    directives: int = 20
    introspection_depth: int = 20
    """Levels below and including `__schema` or `__type`; the standard query has 15."""
    introspection_aliases: int = 3
    """Aliases on `__schema` and below it or `__type`: each repeats a walk of the whole schema."""
    input_values: int = 2_000
    """Objects and list items that the variables of a request may hold together."""
    nodes: int = 10_000
    """Objects that an operation may ask for, multiplied through its lists and pages."""
    page_size: int = 50
    """What a connection gives when neither `first` nor `last` is present."""
    list_size: int = 10
    """What a list without page or `ids` is taken to hold."""
    timeout_seconds: float = 10.0
    """For a query, a mutation, the start of a subscription, and each event of its stream."""
    cached_documents: int = 1_000
    cached_characters: int = 250_000
    """A parsed document takes some 50 bytes of memory a character, a dense one up to 300."""
    cached_document_characters: int = 20_000
    """A longer document is executed but not kept."""


@dataclass(slots=True)
class Measure:
    """What one operation or fragment holds, its fragments written out."""

    depth: int = 0
    aliases: int = 0
    directives: int = 0
    introspection_depth: int = 0
    introspection_aliases: int = 0


def check_limits(document: DocumentNode, limits: QueryLimits) -> GraphQLError | None:
    """Returns the first limit that an operation of the document exceeds, with its code, or None.

    Needs no valid document: unknown fragments and cycles count nothing here.
    """
    measured: dict[str, Measure] = {}
    for fragment in fragments_inner_first(document):
        measured[fragment.name.value] = measure_definition(fragment, measured)
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            error = _exceeded(measure_definition(definition, measured), limits, definition)
            if error is not None:
                return error
    return None


def measure_definition(
    definition: OperationDefinitionNode | FragmentDefinitionNode,
    measured: Mapping[str, Measure],
) -> Measure:
    """Measures one definition, given the measures of the fragments that it spreads."""
    measure = Measure(directives=_count_directives(definition))
    pending = [(definition.selection_set, 0, False)]
    while pending:
        selection_set, level, introspecting = pending.pop()
        for selection in selection_set.selections:
            measure.directives += len(selection.directives or ())
            if isinstance(selection, FieldNode):
                below, inside = _enter_field(measure, selection, level, introspecting)
                if selection.selection_set is not None:
                    pending.append((selection.selection_set, below, inside))
            elif isinstance(selection, InlineFragmentNode):
                pending.append((selection.selection_set, level, introspecting))
            elif isinstance(selection, FragmentSpreadNode):
                spread = measured.get(selection.name.value)
                if spread is not None:
                    _add_spread(measure, spread, level, introspecting)
    return measure


def _enter_field(
    measure: Measure, field: FieldNode, level: int, introspecting: bool
) -> tuple[int, bool]:
    name = field.name.value
    inside = introspecting or name in INTROSPECTION_ROOTS
    below = level + 1 if inside == introspecting else 1
    if inside:
        measure.introspection_depth = max(measure.introspection_depth, below)
    else:
        measure.depth = max(measure.depth, below)
    if field.alias is not None:
        measure.aliases += 1
        if introspecting or name == "__schema":
            measure.introspection_aliases += 1
    return below, inside


def _add_spread(measure: Measure, spread: Measure, level: int, introspecting: bool) -> None:
    measure.aliases += spread.aliases
    measure.directives += spread.directives
    if introspecting:
        deepest = max(level + spread.depth, spread.introspection_depth)
        measure.introspection_depth = max(measure.introspection_depth, deepest)
        measure.introspection_aliases += spread.aliases
    else:
        measure.depth = max(measure.depth, level + spread.depth)
        measure.introspection_depth = max(measure.introspection_depth, spread.introspection_depth)
        measure.introspection_aliases += spread.introspection_aliases


def _count_directives(definition: OperationDefinitionNode | FragmentDefinitionNode) -> int:
    own: Sequence[DirectiveNode] = definition.directives or ()
    variables = definition.variable_definitions or ()
    return len(own) + sum(len(variable.directives or ()) for variable in variables)


def _exceeded(
    measure: Measure, limits: QueryLimits, operation: OperationDefinitionNode
) -> GraphQLError | None:
    checks = (
        ("QUERY_TOO_DEEP", measure.depth, limits.depth, "levels of fields"),
        (
            "QUERY_TOO_DEEP",
            measure.introspection_depth,
            limits.introspection_depth,
            "levels of introspection",
        ),
        ("TOO_MANY_ALIASES", measure.aliases, limits.aliases, "aliases"),
        (
            "TOO_MANY_ALIASES",
            measure.introspection_aliases,
            limits.introspection_aliases,
            "aliases in introspection",
        ),
        ("TOO_MANY_DIRECTIVES", measure.directives, limits.directives, "directives"),
    )
    for code, counted, limit, what in checks:
        if counted > limit:
            return GraphQLError(
                f"The operation has {counted} {what}, its fragments written out;"
                f" at most {limit} are allowed.",
                operation,
                extensions={"code": code},
            )
    return None
