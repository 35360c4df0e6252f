"""What can be told of an operation before it is compiled: whether to, and what decides its form."""

from __future__ import annotations

from dataclasses import dataclass

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    FieldNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
)
from graphql.execution.collect_fields import FragmentDetails

from app.execution.limits import INTROSPECTION_ROOTS

INTROSPECTION = "introspection"
DIRECTIVE = "directive"
CONDITIONS = "conditions"
SIZE = "size"


@dataclass(frozen=True, slots=True)
class Shape:
    """Why an operation goes graphql-core's way, if it does, and the variables of its conditions.

    Which fields are collected, in which order and from which places, depends on `@skip` and
    `@include`: an operation is compiled once for each combination of theirs that is met.
    """

    refusal: str | None
    conditions: tuple[str, ...]


def shape_of(operation: OperationDefinitionNode, fragments: dict[str, FragmentDetails]) -> Shape:
    """Reads the operation and the fragments that it spreads, each once."""
    conditions: dict[str, None] = {}
    if operation.directives or any(
        variable.directives for variable in operation.variable_definitions or ()
    ):
        return Shape(DIRECTIVE, ())
    pending: list[SelectionSetNode] = [operation.selection_set]
    spread: set[str] = set()
    while pending:
        for selection in pending.pop().selections:
            for directive in selection.directives or ():
                variable = _condition(directive)
                if variable is None:
                    return Shape(DIRECTIVE, ())
                if variable:
                    conditions[variable] = None
            if isinstance(selection, FragmentSpreadNode):
                name = selection.name.value
                if name in fragments and name not in spread:
                    spread.add(name)
                    definition = fragments[name].definition
                    if definition.directives or fragments[name].variable_signatures:
                        return Shape(DIRECTIVE, ())
                    pending.append(definition.selection_set)
                continue
            if isinstance(selection, FieldNode) and selection.name.value in INTROSPECTION_ROOTS:
                return Shape(INTROSPECTION, ())
            nested: SelectionSetNode | None = getattr(selection, "selection_set", None)
            if nested is not None:
                pending.append(nested)
    return Shape(None, tuple(conditions))


def _condition(directive: DirectiveNode) -> str | None:
    """Returns the variable that decides, "" where the document does, None for another directive."""
    if directive.name.value not in ("skip", "include"):
        return None
    for argument in directive.arguments or ():
        if isinstance(argument.value, VariableNode):
            return argument.value.name.value
        if isinstance(argument.value, BooleanValueNode):
            return ""
    return None
