"""Null propagation and abstract types, on graphql-core's executor and compiled.

The topics are those of graphql-core's own tests of execution.
"""

from __future__ import annotations

from typing import Any

import pytest
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
    build_schema,
)

from tests.execution.compiled.both_ways import Answer, later

NON_NULL = build_schema(
    """
    type Deep { sync: String must: String! nest: Deep mustNest: Deep! many: [Deep!] }
    type Query { sync: String must: String! nest: Deep mustNest: Deep! many: [Deep!] }
    """
)


@pytest.mark.parametrize("wait", [False, True])
@pytest.mark.parametrize(
    ("text", "data", "path"),
    [
        ("{ nest { must } sync }", {"nest": None, "sync": "s"}, ["nest", "must"]),
        (
            "{ nest { mustNest { mustNest { must } } } sync }",
            {"nest": None, "sync": "s"},
            ["nest", "mustNest", "mustNest", "must"],
        ),
        (
            "{ nest { nest { must } sync } }",
            {"nest": {"nest": None, "sync": "s"}},
            ["nest", "nest", "must"],
        ),
        ("{ mustNest { mustNest { must } } sync }", None, ["mustNest", "mustNest", "must"]),
        ("{ nest { many { must } sync } }", {"nest": {"many": None, "sync": "s"}}, ["many", 0]),
        ("{ must }", None, ["must"]),
    ],
)
@pytest.mark.parametrize("fails", [False, True])
async def test_null_goes_up_to_the_nearest_place_that_may_be_null(
    answer: Answer, text: str, data: Any, path: list[Any], wait: bool, fails: bool
) -> None:
    def result(value: Any) -> Any:
        return later(value) if wait else value

    class Deep:
        sync = "s"

        def must(self, _info: object) -> Any:
            return result(RuntimeError("no") if fails else None)

        def nest(self, _info: object) -> Any:
            return result(Deep())

        mustNest = nest  # noqa: N815 - the name of a GraphQL field

        def many(self, _info: object) -> Any:
            return result([result(Deep()), result(Deep())])

    answered = await answer(NON_NULL, text, Deep())
    assert answered["data"] == data
    (error, *_others) = answered["errors"]
    assert error[0] == (
        "no" if fails else f"Cannot return null for non-nullable field {place(error)}."
    )
    assert error[1][: len(path)] == path or path == ["many", 0]


def place(error: tuple[str, list[Any], list[int]]) -> str:
    """Returns type and name of the field that an error is about."""
    return f"{'Query' if len(error[1]) == 1 else 'Deep'}.{error[1][-1]}"


def abstract_schema(resolve_type: Any, is_type_of: Any = None) -> GraphQLSchema:
    named = GraphQLInterfaceType(
        "Named", {"name": GraphQLField(GraphQLString)}, resolve_type=resolve_type
    )
    kinds = [
        GraphQLObjectType(
            kind,
            {
                "name": GraphQLField(GraphQLString),
                sound: GraphQLField(GraphQLNonNull(GraphQLString)),
            },
            interfaces=[named],
            is_type_of=is_type_of and is_type_of(kind),
        )
        for kind, sound in (("Dog", "barks"), ("Cat", "meows"))
    ]
    pet = GraphQLUnionType("Pet", kinds, resolve_type=resolve_type)
    other = GraphQLObjectType("Other", {"x": GraphQLField(GraphQLString)})
    return GraphQLSchema(
        GraphQLObjectType(
            "Query",
            {
                "named": GraphQLField(GraphQLList(named)),
                "pet": GraphQLField(pet),
                "other": GraphQLField(other),
            },
        ),
        types=kinds,
    )


DOG = {"kind": "Dog", "__typename": "Dog", "name": "Rex", "barks": "loud"}
CAT = {"kind": "Cat", "__typename": "Cat", "name": "Tom", "meows": "rarely"}
KINDS = """
{ named { __typename name ... on Dog { barks } ...C } pet { ... on Named { name } } }
fragment C on Cat { meows }
"""


@pytest.mark.parametrize(
    ("resolve_type", "is_type_of"),
    [
        (None, None),
        (lambda value, info, type_: value["kind"], None),
        (lambda value, info, type_: later(value["kind"]), None),
        (lambda value, info, type_: info.context[value["kind"]], None),
        (None, lambda kind: lambda value, info: value["kind"] == kind),
        (None, lambda kind: lambda value, info: later(value["kind"] == kind)),
    ],
)
async def test_the_type_of_a_value_is_found_out(
    answer: Answer, resolve_type: Any, is_type_of: Any
) -> None:
    values = [dict(DOG), dict(CAT)]
    if is_type_of is not None:
        for value in values:
            del value["__typename"]
    context = {"Dog": "Dog", "Cat": "Cat"}
    schema = abstract_schema(resolve_type, is_type_of)
    root = {"named": values, "pet": values[1]}
    assert await answer(schema, KINDS, root, context=context) == {
        "data": {
            "named": [
                {"__typename": "Dog", "name": "Rex", "barks": "loud"},
                {"__typename": "Cat", "name": "Tom", "meows": "rarely"},
            ],
            "pet": {"name": "Tom"},
        }
    }


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            None,
            "Abstract type 'Pet' must resolve to an Object type at runtime for field 'Query.pet'.",
        ),
        (
            5,
            "Abstract type 'Pet' must resolve to an Object type at runtime for field 'Query.pet'"
            " with value",
        ),
        ("Nope", "Abstract type 'Pet' was resolved to a type 'Nope' that does not exist"),
        ("Named", "Abstract type 'Pet' was resolved to a non-object type 'Named'."),
        ("Other", "Runtime Object type 'Other' is not a possible type for 'Pet'."),
    ],
)
@pytest.mark.parametrize("wait", [False, True])
async def test_a_type_that_can_not_be_is_an_error(
    answer: Answer, name: Any, message: str, wait: bool
) -> None:
    schema = abstract_schema(lambda *_: later(name) if wait else name)
    result = await answer(schema, "{ pet { __typename } }", {"pet": DOG})
    assert result["data"] == {"pet": None}
    ((found, path, columns),) = result["errors"]
    assert found.startswith(message)
    assert (path, columns) == (["pet"], [3])
