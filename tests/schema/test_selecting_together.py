"""The fields of all implementations of an interface can be selected side by side."""

from __future__ import annotations

from collections import defaultdict

import pytest
from graphql import GraphQLInterfaceType

from app.execution.strawberry_schema import core_schema
from app.schema import schema

SCHEMA = core_schema(schema)
INTERFACES = [
    found for found in SCHEMA.type_map.values() if isinstance(found, GraphQLInterfaceType)
]


@pytest.mark.parametrize("interface", INTERFACES, ids=lambda interface: interface.name)
def test_a_field_of_one_name_has_one_type(interface: GraphQLInterfaceType) -> None:
    """Otherwise a query needs aliases to select both (GraphQL specification, section 5.3.2)."""
    types: dict[str, set[str]] = defaultdict(set)
    for implementation in SCHEMA.get_possible_types(interface):
        for name, field in implementation.fields.items():
            types[name].add(str(field.type))
    assert types
    assert {name: kinds for name, kinds in types.items() if len(kinds) > 1} == {}
