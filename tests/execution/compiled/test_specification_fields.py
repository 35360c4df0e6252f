"""Resolvers, directives, mutations and variables, on graphql-core's executor and compiled.

The topics are those of graphql-core's own tests of execution.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    build_schema,
)

from tests.execution.compiled.both_ways import Answer, later


async def test_values_come_from_keys_attributes_and_callables(answer: Answer) -> None:
    class Deep:
        b = "Boring"

        def c(self, _info: object) -> list[str | None]:
            return ["Contrived", None, "Confusing"]

    schema = build_schema("type D { b: String c: [String] } type Query { a: String d: D p: D }")
    root = {"a": lambda _info: "Apple", "d": Deep(), "p": lambda _info: later({"b": "Bee"})}
    assert await answer(schema, "{ a d { b c } p { b c } }", root) == {
        "data": {
            "a": "Apple",
            "d": {"b": "Boring", "c": ["Contrived", None, "Confusing"]},
            "p": {"b": "Bee", "c": None},
        }
    }


async def test_fields_of_all_fragments_merge_in_the_order_of_their_first_use(
    answer: Answer,
) -> None:
    type_: GraphQLObjectType = GraphQLObjectType(
        "Type",
        lambda: {
            "a": GraphQLField(GraphQLString, resolve=lambda *_: "Apple"),
            "b": GraphQLField(GraphQLString, resolve=lambda *_: "Banana"),
            "deep": GraphQLField(type_, resolve=lambda *_: {}),
        },
    )
    text = "{ a ...F deep { ...G } } fragment F on Type { b deep { b } } fragment G on Type { a b }"
    result = await answer(GraphQLSchema(type_), text)
    assert result == {"data": {"a": "Apple", "b": "Banana", "deep": {"b": "Banana", "a": "Apple"}}}
    assert list(result["data"]["deep"]) == ["b", "a"]


async def test_a_resolver_is_told_all_of_its_field(answer: Answer) -> None:
    told: list[Any] = []

    def resolve(source: Any, info: Any, **arguments: Any) -> str:
        told.append((source, info, arguments))
        return "x"

    schema = GraphQLSchema(
        GraphQLObjectType(
            "Query",
            {"test": GraphQLField(GraphQLString, {"n": GraphQLArgument(GraphQLInt)}, resolve)},
        )
    )
    root, context = {"root": 1}, object()
    text = "query ($v: Int) { result: test(n: $v) }"
    assert await answer(schema, text, root, {"v": 3}, context) == {"data": {"result": "x"}}
    ((source, info, arguments),) = told
    assert (source, arguments) == (root, {"n": 3})
    assert info.field_name == "test"
    assert [node.alias.value for node in info.field_nodes] == ["result"]
    assert info.return_type is GraphQLString
    assert info.parent_type is schema.query_type
    assert info.path == (None, "result", "Query")
    assert info.path.as_list() == ["result"]
    assert info.schema is schema
    assert info.root_value is root
    assert info.operation.operation.value == "query"
    assert info.variable_values.coerced == {"v": 3}
    assert info.context is context


async def test_errors_of_every_kind_stand_at_their_field(answer: Answer) -> None:
    def fails(_info: object) -> str:
        raise RuntimeError("raised")

    schema = build_schema("type Query { ok: String a: String b: String c: String d: [String] }")
    root = {
        "ok": "ok",
        "a": fails,
        "b": RuntimeError("returned"),
        "c": lambda _info: later(RuntimeError("later")),
        "d": ["x", RuntimeError("in a list"), later("y"), later(RuntimeError("later in a list"))],
    }
    result = await answer(schema, "{ ok a b c d }", root)
    assert result["data"] == {
        "ok": "ok",
        "a": None,
        "b": None,
        "c": None,
        "d": ["x", None, "y", None],
    }
    assert sorted(result["errors"]) == [
        ("in a list", ["d", 1], [12]),
        ("later", ["c"], [10]),
        ("later in a list", ["d", 3], [12]),
        ("raised", ["a"], [6]),
        ("returned", ["b"], [8]),
    ]


async def test_keys_keep_their_order_whatever_ends_first(answer: Answer) -> None:
    schema = build_schema("type Query { a: String b: String c: String d: String }")
    root = {"a": later("A"), "b": "B", "c": later("C"), "d": "D"}
    result = await answer(schema, "{ d c b a }", root)
    assert list(result["data"].items()) == [("d", "D"), ("c", "C"), ("b", "B"), ("a", "A")]


async def test_a_value_that_is_not_of_its_type_is_an_error(answer: Answer) -> None:
    special = GraphQLObjectType(
        "Special",
        {"value": GraphQLField(GraphQLString)},
        is_type_of=lambda value, info: (
            value.get("kind") == "special" if "later" not in value else later(value["kind"] == "y")
        ),
    )
    schema = GraphQLSchema(GraphQLObjectType("Query", {"all": GraphQLField(GraphQLList(special))}))
    root = {
        "all": [
            {"kind": "special", "value": "foo"},
            {"kind": "x"},
            {"later": 1, "kind": "y", "value": "bar"},
            {"later": 1, "kind": "z"},
        ]
    }
    result = await answer(schema, "{ all { value } }", root)
    assert result["data"] == {"all": [{"value": "foo"}, None, {"value": "bar"}, None]}
    assert [(path, columns) for _, path, columns in result["errors"]] == [
        (["all", 1], [3]),
        (["all", 3], [3]),
    ]
    assert result["errors"][0][0] == "Expected value of type 'Special' but got: {'kind': 'x'}."


async def test_a_scalar_that_serializes_to_nothing_is_an_error(answer: Answer) -> None:
    scalar = GraphQLScalarType("Odd", coerce_output_value=lambda _value: None)
    schema = GraphQLSchema(GraphQLObjectType("Query", {"odd": GraphQLField(scalar)}))
    message = "Expected `Odd.coerce_output_value('x')` to return non-nullable value, returned: None"
    assert await answer(schema, "{ odd }", {"odd": "x"}) == {
        "data": {"odd": None},
        "errors": [(message, ["odd"], [3])],
    }


@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("written", [True, False])
async def test_skip_and_include_decide_together(
    answer: Answer, include: bool, skip: bool, written: bool
) -> None:
    conditions = [str(include).lower(), str(skip).lower()] if written else ["$include", "$skip"]
    guard = f"@include(if: {conditions[0]}) @skip(if: {conditions[1]})"
    declared = "" if written else "query ($include: Boolean!, $skip: Boolean = true)"
    schema = build_schema("type Query { a: String b: String c: String }")
    text = (
        f"{declared} {{ ...F {guard} a ... on Query {guard} {{ b }} c {guard} }}"
        " fragment F on Query { c a }"
    )
    variables = {} if written else {"include": include, "skip": skip}
    result = await answer(schema, text, {"a": "A", "b": "B", "c": "C"}, variables)
    kept = include and not skip
    assert list(result["data"]) == (["c", "a", "b"] if kept else ["a"])


async def test_mutations_are_serial_and_stop_only_for_what_takes_all_data(answer: Answer) -> None:
    done: list[str] = []

    def change(name: str, value: Any, *, wait: bool) -> Callable[..., Any]:
        async def resolve(_source: object, _info: object) -> Any:
            await asyncio.sleep(0)
            done.append(name)
            return await later(value)

        def resolve_now(_source: object, _info: object) -> Any:
            done.append(name)
            if isinstance(value, Exception):
                raise value
            return value

        return resolve if wait else resolve_now

    number = GraphQLObjectType(
        "Number",
        {"value": GraphQLField(GraphQLString, resolve=lambda s, _i: later(f"{s}{done[-1]}"))},
    )
    fields = {
        "a": GraphQLField(number, resolve=change("a", "A", wait=True)),
        "b": GraphQLField(number, resolve=change("b", RuntimeError("b"), wait=False)),
        "c": GraphQLField(number, resolve=change("c", RuntimeError("c"), wait=True)),
        "d": GraphQLField(number, resolve=change("d", "D", wait=False)),
        "must": GraphQLField(GraphQLNonNull(number), resolve=change("must", None, wait=True)),
    }
    query = GraphQLObjectType("Query", {"x": GraphQLField(GraphQLString)})
    schema = GraphQLSchema(query, GraphQLObjectType("Mutation", fields))
    text = "mutation { d { value } a { value } b { value } c { value } last: a { value } }"
    result = await answer(schema, text)
    assert result["data"] == {
        "d": {"value": "Dd"},
        "a": {"value": "Aa"},
        "b": None,
        "c": None,
        "last": {"value": "Aa"},
    }
    assert [path for _, path, _ in result["errors"]] == [["b"], ["c"]]
    assert done == ["d", "a", "b", "c", "a"]
    done.clear()
    result = await answer(schema, "mutation { a { value } must { value } d { value } }")
    assert result["data"] is None
    assert done == ["a", "must"]


VARIABLES = build_schema(
    """
    input Point { x: Int = 1 y: Int! tags: [String!] inner: Point }
    type Query {
      told(n: Int, d: Int = 5, must: Int! = 7, list: [Int!], point: Point): String
    }
    """
)


@pytest.mark.parametrize(
    ("arguments", "declared", "variables", "told"),
    [
        ("", "", {}, {"d": 5, "must": 7}),
        ("n: 1, d: null", "", {}, {"n": 1, "d": None, "must": 7}),
        ("n: $n, d: $n", "$n: Int", {}, {"d": 5, "must": 7}),
        ("n: $n, d: $n", "$n: Int", {"n": None}, {"n": None, "d": None, "must": 7}),
        ("n: $n", "$n: Int = 3", {}, {"n": 3, "d": 5, "must": 7}),
        ("must: $n", "$n: Int", {}, {"d": 5, "must": 7}),
        ("list: $n", "$n: [Int!]", {"n": 4}, {"list": [4], "d": 5, "must": 7}),
        ("list: [1, $n]", "$n: Int!", {"n": 2}, {"list": [1, 2], "d": 5, "must": 7}),
        (
            "point: {y: $n, inner: {y: 2}}",
            "$n: Int!",
            {"n": 9},
            {"point": {"x": 1, "y": 9, "inner": {"x": 1, "y": 2}}, "d": 5, "must": 7},
        ),
        (
            "point: $n",
            '$n: Point = {y: 3, tags: ["a"]}',
            {},
            {"point": {"x": 1, "y": 3, "tags": ["a"]}, "d": 5, "must": 7},
        ),
    ],
)
async def test_arguments_are_what_literals_variables_and_defaults_say(
    answer: Answer, arguments: str, declared: str, variables: dict[str, Any], told: dict[str, Any]
) -> None:
    heard: list[Any] = []
    head = f"query ({declared})" if declared else ""
    field = f"told({arguments})" if arguments else "told"
    root = {"told": lambda _info, **given: heard.append(given)}
    assert await answer(VARIABLES, f"{head} {{ {field} }}", root, variables) == {
        "data": {"told": None}
    }
    assert heard == [told]


async def test_a_null_for_an_argument_that_must_not_be_is_an_error_of_its_field(
    answer: Answer,
) -> None:
    result = await answer(
        VARIABLES, "query ($n: Int = 1) { told(must: $n) }", {"told": "x"}, {"n": None}
    )
    assert result["data"] == {"told": None}
    ((message, path, _columns),) = result["errors"]
    assert message.startswith("Argument 'must' has invalid value")
    assert path == ["told"]
