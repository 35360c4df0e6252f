"""Objects that are written into the function around them answer as those with a function do."""

from __future__ import annotations

import gc
from inspect import CORO_CLOSED, getcoroutinestate
from typing import Any

import pytest
import strawberry
from graphql import build_schema
from strawberry import Info

from app.execution.compiled.compiler import Compiler, PlanCompiler
from app.execution.compiled.inlining import MOST_TYPES
from app.execution.compiled.plan import Plan
from app.execution.strawberry_schema import core_schema
from tests.execution.compiled.both_ways import Answer, BothWays, later


class Value:
    """An object of the model: its attributes are what it is made of."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__ |= attributes


@strawberry.type
class Leaf:
    name: str


@strawberry.type
class Branch:
    name: str
    must: Leaf
    may: Leaf | None
    leaves: list[Leaf]
    some: list[Leaf | None]
    branch: Branch | None


@strawberry.type
class Query:
    branch: Branch | None
    branches: list[Branch]

    @strawberry.field
    def told(self, info: Info) -> Branch | None:
        root: Any = info.root_value
        found: Branch | None = root.branch
        return found


SCHEMA = core_schema(strawberry.Schema(Query))


def compiled(text: str) -> Plan:
    """Returns what a document is compiled to."""
    both = BothWays(SCHEMA, Compiler(SCHEMA), text)
    variables = both.coerce({})
    assert variables is not None
    plan = both.plan(variables)
    assert plan is not None
    return plan


def functions(text: str) -> int:
    """Returns how many functions of objects a document is compiled to."""
    return compiled(text).source.count("def b")


def test_only_the_root_has_a_function_where_all_is_there_at_once() -> None:
    assert functions("{ branch { must { name } leaves { name } some { name } } }") == 1
    assert functions("{ branches { branch { name } } }") == 1


def test_what_may_have_to_be_loaded_has_a_function() -> None:
    assert functions("{ told { must { name } } }") == 2


def test_a_selection_that_stands_in_two_places_is_written_once() -> None:
    text = "{ branch { ...B } branches { branch { ...B } } } fragment B on Branch { must { name } }"
    assert functions(text) == 2


def test_the_functions_that_may_still_be_made_count_for_the_memory() -> None:
    written, inlined = compiled("{ told { name } }"), compiled("{ branch { must { name } } }")
    assert written.characters == len(written.source)
    assert inlined.characters == 2 * len(inlined.source)


async def test_each_failure_has_the_path_of_its_place(answer: Answer) -> None:
    def leaf(name: object) -> Value:
        return Value(name=name)

    root = Value(
        branches=[
            Value(leaves=[leaf("a"), leaf("b")], some=[leaf("c"), leaf(None), None], must=leaf(1)),
            Value(leaves=[leaf("d")], some=[leaf("e"), leaf([])], must=leaf("f")),
        ]
    )
    text = "{ branches { leaves { name } some { name } must { name } } }"
    assert await answer(SCHEMA, text, root) == {
        "data": {
            "branches": [
                {
                    "leaves": [{"name": "a"}, {"name": "b"}],
                    "some": [{"name": "c"}, None, None],
                    "must": {"name": "1"},
                },
                {
                    "leaves": [{"name": "d"}],
                    "some": [{"name": "e"}, None],
                    "must": {"name": "f"},
                },
            ]
        },
        "errors": [
            (
                "Cannot return null for non-nullable field Leaf.name.",
                ["branches", 0, "some", 1, "name"],
                [37],
            ),
            (
                "String cannot represent value: []",
                ["branches", 1, "some", 1, "name"],
                [37],
            ),
        ],
    }


@pytest.mark.parametrize("place", ["must", "may", "leaves", "some"])
@pytest.mark.parametrize("name", ["late", None])
async def test_an_object_that_has_to_be_awaited_after_all(
    answer: Answer, place: str, name: str | None
) -> None:
    listed = place in ("leaves", "some")
    leaf = later(Value(name=name))
    root = Value(branch=Value(name="b", **{place: [leaf] if listed else leaf}))
    answered = await answer(SCHEMA, f"{{ branch {{ name {place} {{ name }} }} }}", root)
    if name is not None:
        found: Any = {"name": name}
        assert answered == {"data": {"branch": {"name": "b", place: [found] if listed else found}}}
        return
    path = ["branch", place, 0, "name"] if listed else ["branch", place, "name"]
    ((message, where, _column),) = answered["errors"]
    assert message == "Cannot return null for non-nullable field Leaf.name."
    assert where == path
    null = [None] if listed else None
    branch = {"name": "b", place: null} if place in ("may", "some") else None
    assert answered["data"] == {"branch": branch}


async def test_a_leaf_that_has_to_be_awaited_in_an_object_that_is_there(answer: Answer) -> None:
    leaves = [Value(name=later("a")), Value(name="b")]
    root = Value(branches=[Value(leaves=leaves, must=Value(name=later("c")))])
    text = "{ branches { leaves { name } must { name } } }"
    assert await answer(SCHEMA, text, root) == {
        "data": {"branches": [{"leaves": [{"name": "a"}, {"name": "b"}], "must": {"name": "c"}}]}
    }


async def test_items_behind_one_that_failed_are_given_up(answer: Answer) -> None:
    behind = later(Value(name="c"))
    leaves = [Value(name="a"), Value(name=None), behind]
    answered = await answer(
        SCHEMA, "{ branches { leaves { name } } }", Value(branches=[Value(leaves=leaves)])
    )
    assert answered["data"] is None
    assert [path for _message, path, _column in answered["errors"]] == [
        ["branches", 0, "leaves", 1, "name"]
    ]
    assert getcoroutinestate(behind) == CORO_CLOSED


@pytest.mark.parametrize("levels", [1, 5, 20, 60])
async def test_documents_of_any_depth_are_compiled(answer: Answer, levels: int) -> None:
    value, text = Value(name="end"), "name"
    expected: dict[str, Any] = {"name": "end"}
    for _ in range(levels):
        value, expected = Value(branch=value), {"branch": expected}
        text = f"branch {{ {text} }}"
    assert await answer(SCHEMA, f"{{ {text} }}", value) == {"data": expected}


async def test_more_types_than_are_written_out_are_told_apart(answer: Answer) -> None:
    kinds = [type(f"Kind{number}", (), {"name": f"n{number}"}) for number in range(MOST_TYPES + 3)]
    types = "".join(f"type {kind.__name__} implements Named {{ name: String }} " for kind in kinds)
    schema = build_schema(
        f"interface Named {{ name: String }} {types} type Query {{ things: [Named!]! }}"
    )
    named: Any = schema.get_type("Named")
    named.resolve_type = lambda value, *_: type(value).__name__
    root = Value(things=[kind() for kind in kinds])
    assert await answer(schema, "{ things { __typename name } }", root) == {
        "data": {
            "things": [
                {"__typename": f"Kind{number}", "name": f"n{number}"}
                for number in range(MOST_TYPES + 3)
            ]
        }
    }


@strawberry.type
class Naming:
    @strawberry.field
    def held(self, name: str) -> Leaf:
        return Leaf(name=name)


async def test_a_plan_keeps_nothing_of_the_request_that_it_was_made_for() -> None:
    schema = core_schema(strawberry.Schema(Naming))
    both = BothWays(
        schema, Compiler(schema), "query ($name: String!) { held(name: $name) { name } }"
    )
    variables = both.coerce({"name": "a secret"})
    assert variables is not None
    plan = both.plan(variables)
    assert plan is not None
    compilers = [one for one in gc.get_objects() if isinstance(one, PlanCompiler)]
    assert not [one for one in compilers if variables in vars(one).values()]
