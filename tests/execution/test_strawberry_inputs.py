"""Arguments become what Strawberry makes of them."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import pytest
import strawberry
from graphql import GraphQLSchema
from hypothesis import given
from hypothesis import strategies as st
from strawberry.relay import GlobalID
from strawberry.scalars import JSON
from strawberry.types.arguments import convert_arguments

from app.execution.strawberry_inputs import ArgumentConversion
from app.execution.strawberry_schema import DirectCall, core_schema, field_call


@strawberry.enum
class Colour(Enum):
    RED = 1
    BLUE = 2


@strawberry.input
class Leaf:
    given_name: str = strawberry.field(name="called")
    size: int | None
    colour: Colour | None = None
    data: JSON | None = strawberry.UNSET
    node: GlobalID | None = None


@strawberry.input
class Tree:
    leaves: list[Leaf]
    rows: list[list[int | None]] | None = None
    some: strawberry.Maybe[str | None] = None
    inner: Annotated[Tree, strawberry.lazy(__name__)] | None = None
    tags: list[str] = strawberry.field(default_factory=lambda: ["new"])


@strawberry.type
class Query:
    @strawberry.field
    def grow(self, tree: Tree, colours: list[Colour] | None = None, size: int = 1) -> int:
        return size


STRAWBERRY = strawberry.Schema(query=Query)
NODE = str(GlobalID("Leaf", "1"))


def call(schema: GraphQLSchema) -> DirectCall:
    query = schema.query_type
    assert query is not None
    found = field_call(query.fields["grow"])
    assert isinstance(found, DirectCall)
    return found


def by_strawberry(values: dict[str, Any]) -> dict[str, Any]:
    converter = STRAWBERRY.schema_converter
    return convert_arguments(
        values,
        call(core_schema(STRAWBERRY)).field.arguments,
        scalar_registry=converter.scalar_registry,
        config=converter.config,
    )


def by_us(values: dict[str, Any]) -> dict[str, Any]:
    conversion: ArgumentConversion = call(core_schema(STRAWBERRY)).arguments
    return conversion.convert(values)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


TEXT = st.text(max_size=3)
NUMBERS = st.integers(0, 9)
LEAVES = optional(
    called=TEXT,
    size=st.none() | NUMBERS,
    colour=st.none() | st.sampled_from(Colour),
    data=st.none() | st.dictionaries(TEXT, NUMBERS, max_size=2),
    node=st.none() | st.just(NODE),
)


def trees(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return optional(
        leaves=st.lists(st.none() | LEAVES, max_size=2),
        rows=st.none() | st.lists(st.lists(st.none() | NUMBERS, max_size=2), max_size=2),
        some=st.none() | TEXT,
        inner=st.none() | inner,
        tags=st.lists(TEXT, max_size=2),
    )


@given(
    optional(
        tree=trees(trees(st.none())),
        colours=st.none() | st.lists(st.sampled_from(Colour), max_size=2),
        size=NUMBERS,
    )
)
def test_arguments_are_what_strawberry_makes_of_them(values: dict[str, Any]) -> None:
    assert by_us(values) == by_strawberry(values)


def test_a_list_is_a_copy() -> None:
    colours = [Colour.RED]

    assert by_us({"colours": colours})["colours"] is not colours


def test_what_strawberry_refuses_is_refused() -> None:
    values = {"tree": {"leaves": [{"node": "no id"}]}}

    for convert in (by_us, by_strawberry):
        with pytest.raises(Exception, match="GlobalID"):
            convert(values)
