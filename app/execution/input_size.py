"""How much a request's variables hold, counted before anything is made of them.

Coercing an input costs some hundred microseconds an object, all of it on the event loop, and a
body of a megabyte has room for tens of thousands. So they are counted first, and the count ends
where the limit is passed. What stands inside a custom scalar is one value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from graphql import (
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    VariableDefinitionNode,
    is_input_type,
    type_from_ast,
)


def holds_more_than(
    limit: int,
    schema: GraphQLSchema,
    definitions: Iterable[VariableDefinitionNode],
    values: Mapping[str, Any],
) -> bool:
    """Answers whether variables hold more than `limit` objects and list items together."""
    waiting: list[tuple[GraphQLInputType, Any]] = []
    for definition in definitions:
        name = definition.variable.name.value
        declared = type_from_ast(schema, definition.type)
        if name in values and declared is not None and is_input_type(declared):
            waiting.append((declared, values[name]))
    counted = 0
    while waiting:
        kind, value = waiting.pop()
        if isinstance(kind, GraphQLNonNull):
            kind = kind.of_type
        if isinstance(kind, GraphQLList) and isinstance(value, list):
            counted += len(value)
            if counted > limit:
                return True
            waiting.extend((kind.of_type, item) for item in value)
        elif isinstance(kind, GraphQLList):
            waiting.append((kind.of_type, value))
        elif isinstance(kind, GraphQLInputObjectType) and isinstance(value, dict):
            counted += 1
            fields = kind.fields
            waiting.extend(
                (fields[name].type, item) for name, item in value.items() if name in fields
            )
    return counted > limit
