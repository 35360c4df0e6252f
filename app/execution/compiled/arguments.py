"""The arguments of a field in graphql-core's form, with most of the work done once a plan."""

from __future__ import annotations

from typing import Any, TypeAlias

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLNonNull,
    ListValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
)
from graphql.execution.values import VariableValues, get_argument_values
from graphql.type import is_required_argument
from graphql.utilities.coerce_input_value import coerce_default_value, coerce_input_literal

from app.execution.variables import SHAREABLE

_Argument: TypeAlias = tuple[str, str | None, bool, bool, Any]
"""The name that the resolver has for it, the name of its variable or None, whether it must be
given, whether it may be null, and its value where there is no variable or the variable has none
(`Undefined` for no argument)."""


class ArgumentReader:
    """Reads the arguments of one field of a document.

    Arguments that are a variable, a simple literal or left out are read here; all others, and
    whatever is wrong, by graphql-core's `get_argument_values` (GraphQL specification, section
    6.4.1, CoerceArgumentValues).
    """

    __slots__ = ("_arguments", "_definition", "_node", "has_variables")

    def __init__(self, definition: GraphQLField, node: FieldNode) -> None:
        self._definition = definition
        self._node = node
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        self.has_variables = any(_has_variable(value) for value in given.values())
        self._arguments: list[_Argument] | None = []
        for name, argument in definition.args.items():
            read = _read(argument.out_name or name, argument, given.get(name))
            if read is None:
                self._arguments = None
                break
            self._arguments.append(read)

    def read(self, variables: VariableValues) -> dict[str, Any]:
        """Returns the arguments by the resolver's names. GraphQLError for a wrong value."""
        if self._arguments is None:
            return get_argument_values(self._definition, self._node, variables)
        values: dict[str, Any] = {}
        coerced = variables.coerced
        for name, variable, required, nullable, value in self._arguments:
            if variable is not None:
                if variable in coerced:
                    value = coerced[variable]
                    if value is None and not nullable:
                        return get_argument_values(self._definition, self._node, variables)
                elif required:
                    return get_argument_values(self._definition, self._node, variables)
            if value is not Undefined:
                values[name] = value
        return values


def _read(name: str, argument: Any, given: ValueNode | None) -> _Argument | None:
    """Returns what there is to know of an argument before it is read, None where it is not enough.

    An invalid default or literal is left to graphql-core, which raises when the field is reached.
    """
    required = is_required_argument(argument)
    nullable = not isinstance(argument.type, GraphQLNonNull)
    try:
        if given is None or isinstance(given, VariableNode):
            variable = given.name.value if isinstance(given, VariableNode) else None
            if required and variable is None:
                return None
            return name, variable, required, nullable, coerce_default_value(argument)
        if _has_variable(given):
            return None
        value = coerce_input_literal(given, argument.type)
    except TypeError:
        return None
    return (name, None, required, nullable, value) if isinstance(value, SHAREABLE) else None


def _has_variable(value: ValueNode) -> bool:
    """Tells whether a value in a document depends on the request."""
    if isinstance(value, ListValueNode):
        return any(_has_variable(item) for item in value.values)
    if isinstance(value, ObjectValueNode):
        return any(_has_variable(field.value) for field in value.fields)
    return isinstance(value, VariableNode)
