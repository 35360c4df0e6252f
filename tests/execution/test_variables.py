"""Variables are coerced as graphql-core coerces them, or left to it."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest
import strawberry
from graphql import OperationDefinitionNode, parse
from graphql.execution.values import VariableValues, get_variable_values
from hypothesis import example, given
from hypothesis import strategies as st
from strawberry.scalars import JSON

from app.execution.input_size import holds_more_than
from app.execution.strawberry_schema import core_schema
from app.execution.variables import InputTypes, VariableCoercer


@strawberry.enum
class Colour(Enum):
    RED = 1
    BLUE = "blue"


@strawberry.input
class Leaf:
    name: str
    colour: Colour = Colour.BLUE
    size: int | None = 7
    weight: float | None = None
    data: JSON | None = None
    done: bool = False


@strawberry.input(one_of=True)
class Choice:
    leaf: Leaf | None = strawberry.UNSET
    number: int | None = strawberry.UNSET


@strawberry.input
class Tree:
    id: strawberry.ID
    leaves: list[Leaf]
    grid: list[list[int | None]] | None = None
    choice: Choice | None = None


@strawberry.input
class Nested:
    name: str
    inner: Nested | None = None


@strawberry.type
class Query:
    @strawberry.field
    def grow(
        self, tree: Tree, colour: Colour | None = None, nested: Nested | None = None, size: int = 1
    ) -> int:
        return size


SCHEMA = core_schema(strawberry.Schema(query=Query))
LIMIT = 12

GROW = 'query ($tree: Tree!, $colour: Colour, $size: Int! = 3, $names: [String!] = ["a"])'
NEST = "query ($nested: Nested, $size: Int)"


def both(head: str, given: dict[str, Any]) -> tuple[VariableValues | None, Any]:
    """Coerces in both ways; None for what one of them does not answer."""
    (operation,) = parse(head + " { __typename }").definitions
    assert isinstance(operation, OperationDefinitionNode)
    definitions = operation.variable_definitions or ()
    ours = VariableCoercer(InputTypes(), SCHEMA, definitions).coerce(given, LIMIT)
    if holds_more_than(LIMIT, SCHEMA, definitions, given):
        return ours, None
    try:
        theirs = get_variable_values(SCHEMA, definitions, given, max_errors=1)
    except Exception:  # noqa: BLE001 - Strawberry's check of @oneOf raises through graphql-core
        return ours, None
    return ours, theirs if isinstance(theirs, VariableValues) else None


def exact(value: Any) -> Any:
    """Tells apart what Python takes for equal, such as true and 1."""
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [exact(item) for item in value]
    return type(value), value


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2)
    ),
    max_leaves=4,
)


def loosely(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly the right thing, now and then another."""
    return st.integers(0, 11).flatmap(
        lambda chance: ANYTHING if chance == 0 else st.none() if chance == 1 else strategy
    )


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {}, optional={**{name: loosely(field) for name, field in fields.items()}}
    )


LEAVES = objects(
    name=st.text(max_size=3),
    colour=st.sampled_from(["RED", "BLUE", "GREEN"]),
    size=st.integers(-(2**33), 2**33) | st.integers(0, 9),
    weight=st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 3),
    data=ANYTHING,
    done=st.booleans(),
)
TREES = objects(
    id=st.text(max_size=3) | st.integers(0, 9),
    leaves=st.lists(loosely(LEAVES), max_size=3),
    grid=st.lists(loosely(st.lists(loosely(st.integers(0, 3)), max_size=3)), max_size=3),
    choice=objects(leaf=LEAVES, number=st.integers(0, 3)),
)
LEAF = {"name": "oak", "colour": "RED", "size": 3, "weight": 1.5, "data": {"a": [1]}, "done": True}
TREE = {"id": "t", "leaves": [LEAF], "grid": [[1, None], []], "choice": {"number": 2}}


@example({"tree": TREE, "colour": "RED", "size": 3, "names": ["a"]})
@example({"tree": {**TREE, "choice": {"number": 1, "leaf": None}}})
@example({"tree": {**TREE, "unknown": 1}})
@example({"tree": {**TREE, "leaves": LEAF}})
@given(
    objects(
        tree=TREES,
        colour=st.sampled_from(["RED", "BLUE"]),
        size=st.integers(0, 9),
        names=st.lists(st.text(max_size=2), max_size=3),
        other=ANYTHING,
    )
)
def test_what_is_coerced_is_what_graphql_core_makes_of_it(given: dict[str, Any]) -> None:
    ours, theirs = both(GROW, given)

    if ours is not None:
        assert theirs is not None
        assert exact(ours.coerced) == exact(theirs.coerced)
        assert list(ours.sources) == list(theirs.sources)
        for name, source in ours.sources.items():
            assert source.value is theirs.sources[name].value
            assert str(source.signature.type) == str(theirs.sources[name].signature.type)


@pytest.mark.parametrize(
    "given",
    [
        {"tree": TREE, "names": []},
        {"tree": {"id": "t", "leaves": []}, "colour": None, "names": None},
        {"tree": {**TREE, "choice": {"leaf": LEAF}}, "size": 1, "names": ["a", "b"]},
    ],
)
def test_what_is_common_needs_no_graphql_core(given: dict[str, Any]) -> None:
    ours, theirs = both(GROW, given)

    assert ours is not None
    assert exact(ours.coerced) == exact(theirs.coerced)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"tree": None},
        {"tree": {"id": "t"}},
        {"tree": {"id": "t", "leaves": [None]}},
        {"tree": {**TREE, "choice": {}}},
        {"tree": {**TREE, "choice": {"number": None}}},
        {"tree": {**TREE, "id": True}},
        {"tree": {**TREE, "leaves": [{**LEAF, "size": 2**31}]}},
        {"tree": {**TREE, "leaves": [{**LEAF, "colour": "GREEN"}]}},
        {"tree": {**TREE, "leaves": [{**LEAF, "colour": []}]}},
        {"tree": TREE, "size": None},
        {"tree": TREE},
    ],
    ids=str,
)
def test_the_rest_is_left_to_graphql_core(given: dict[str, Any]) -> None:
    ours, _ = both(GROW, given)

    assert ours is None


def test_no_more_is_held_than_may_be() -> None:
    fits = {"tree": {"id": "t", "leaves": [], "grid": [[1] * (LIMIT - 2)]}, "names": []}
    exceeds = {"tree": {"id": "t", "leaves": [], "grid": [[1] * (LIMIT - 1)]}, "names": []}

    assert both(GROW, fits)[0] is not None
    assert both(GROW, exceeds) == (None, None)


def test_a_type_that_contains_itself_is_left_to_graphql_core() -> None:
    assert both(NEST, {"nested": {"name": "a"}, "size": 1})[0] is None


def test_a_default_that_could_be_changed_is_made_anew_by_graphql_core() -> None:
    first, _ = both(GROW, {"tree": TREE})

    assert first is None
