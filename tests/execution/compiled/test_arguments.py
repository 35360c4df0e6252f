"""Arguments are read as graphql-core reads them, whatever they are made of."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest
import strawberry
from graphql import FieldNode, GraphQLError, OperationDefinitionNode, parse
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values

from app.execution.compiled.arguments import ArgumentReader
from app.execution.strawberry_schema import core_schema


@strawberry.enum
class Colour(Enum):
    RED = 1
    BLUE = 2


@strawberry.input
class Leaf:
    name: str
    size: int = 3


@strawberry.type
class Query:
    @strawberry.field
    def grow(
        self,
        name: str,
        size: int = 1,
        colour: Colour | None = None,
        leaf: Leaf | None = None,
        names: list[str] | None = None,
    ) -> int:
        return size


SCHEMA = core_schema(strawberry.Schema(query=Query))

HEAD = "query ($name: String, $size: Int = 5, $wide: Int, $leaf: Leaf, $colour: Colour)"


def outcome(read: Any) -> Any:
    """Returns what is read, or the words of the refusal."""
    try:
        return list(read().items())
    except GraphQLError as error:
        return error.message, error.nodes


@pytest.mark.parametrize("given", [{}, {"name": "a"}, {"name": None}, {"name": "a", "wide": 2}])
@pytest.mark.parametrize(
    "arguments",
    [
        'name: "a"',
        "name: $name",
        "name: $name, size: $size",
        "name: $name, size: $wide",
        "name: $name, size: 7, colour: BLUE",
        "name: $name, colour: $colour, leaf: $leaf",
        'name: $name, leaf: {name: "b"}',
        "name: $name, leaf: {name: $name, size: $wide}",
        'name: $name, names: "one"',
        'name: $name, names: ["one", $name]',
        "name: 5",
        "size: null",
        "size: 1",
        "",
    ],
)
def test_arguments_are_what_graphql_core_reads(arguments: str, given: dict[str, Any]) -> None:
    field = f"grow({arguments})" if arguments else "grow"
    (operation,) = parse(f"{HEAD} {{ {field} }}").definitions
    assert isinstance(operation, OperationDefinitionNode)
    (node,) = operation.selection_set.selections
    assert isinstance(node, FieldNode)
    assert SCHEMA.query_type is not None
    definition = SCHEMA.query_type.fields["grow"]
    variables = get_variable_values(SCHEMA, operation.variable_definitions or (), given)
    assert isinstance(variables, VariableValues)

    reader = ArgumentReader(definition, node)

    expected = outcome(lambda: get_argument_values(definition, node, variables))
    assert outcome(lambda: reader.read(variables)) == expected
    assert outcome(lambda: reader.read(variables)) == expected, "the second time too"
