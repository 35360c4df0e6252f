"""What execution has to answer, case by case, on graphql-core's executor and compiled.

The topics are those of graphql-core's own tests of execution.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
    build_schema,
    parse,
    validate,
)

from app.execution.compiled.compiler import Compiler
from app.execution.compiled.run import CompiledRun
from app.execution.running import Run
from tests.execution.compiled.both_ways import BothWays

Answer = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture(params=["graphql-core", "compiled"])
def answer(request: pytest.FixtureRequest) -> Answer:
    """Runs a valid document one way; errors are shown as `(message, path, column)`."""

    async def run(
        schema: GraphQLSchema,
        text: str,
        root: object = None,
        variables: dict[str, Any] | None = None,
        context: object = None,
    ) -> dict[str, Any]:
        assert validate(schema, parse(text)) == []
        both = BothWays(schema, Compiler(schema), text)
        values = both.coerce(variables or {})
        assert values is not None
        chosen: Run | CompiledRun
        if request.param == "compiled":
            plan = both.plan(values)
            assert plan is not None
            chosen = CompiledRun(plan, schema, both.prepared, values, context, root)
        else:
            chosen = Run(schema, both.prepared, values, context, root)
        result = await chosen.result(10)
        shown: dict[str, Any] = {"data": result.data}
        if result.errors:
            shown["errors"] = [
                (error.message, error.path, [place.column for place in error.locations or ()])
                for error in result.errors
            ]
        return shown

    return run


async def later(value: Any) -> Any:
    await asyncio.sleep(0)
    if isinstance(value, Exception):
        raise value
    return value


# Resolvers and their info


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


# Lists


@pytest.mark.parametrize("how", ["now", "later", "items later", "generator", "async iterator"])
@pytest.mark.parametrize(
    ("type_", "with_null", "null"),
    [
        ("[Int]", [1, None, 2], None),
        ("[Int]!", [1, None, 2], "data"),
        ("[Int!]", None, None),
        ("[Int!]!", "data", "data"),
    ],
)
async def test_lists_and_their_nulls(
    answer: Answer, how: str, type_: str, with_null: Any, null: Any
) -> None:
    async def give(values: list[Any]) -> AsyncIterator[Any]:
        for value in values:
            yield await later(value)

    def root(values: list[Any] | None) -> dict[str, Any]:
        if values is None:
            return {"list": later(None) if how == "later" else None}
        made: dict[str, Any] = {
            "now": lambda: values,
            "later": lambda: later(values),
            "items later": lambda: [later(value) for value in values],
            "generator": lambda: (value for value in values),
            "async iterator": lambda: give(values),
        }
        return {"list": made[how]()}

    def expected(value: Any) -> Any:
        return None if value == "data" else {"list": value}

    schema = build_schema(f"type Query {{ list: {type_} }}")
    assert await answer(schema, "{ list }", root([1, 2])) == {"data": {"list": [1, 2]}}
    result = await answer(schema, "{ list }", root([1, None, 2]))
    assert result["data"] == expected(with_null)
    message = "Cannot return null for non-nullable field Query.list."
    assert result.get("errors", []) == ([(message, ["list", 1], [3])] if "Int!" in type_ else [])
    result = await answer(schema, "{ list }", root(None))
    assert result["data"] == expected(null)
    assert result.get("errors", []) == ([(message, ["list"], [3])] if type_[-1] == "!" else [])


@pytest.mark.parametrize("value", ["text", 5, {"a": 1}, b"bytes"])
async def test_what_is_no_list_is_an_error(answer: Answer, value: Any) -> None:
    schema = build_schema("type Query { list: [String] }")
    message = "Expected Iterable, but did not find one for field 'Query.list'."
    assert await answer(schema, "{ list }", {"list": value}) == {
        "data": {"list": None},
        "errors": [(message, ["list"], [3])],
    }


async def test_an_iterator_that_breaks_off_takes_its_list_with_it(answer: Answer) -> None:
    closed: list[str] = []

    def broken() -> Any:
        yield later(1)
        raise RuntimeError("broken")

    async def broken_later() -> Any:
        try:
            yield 1
            raise RuntimeError("broken")
        finally:
            closed.append("later")

    schema = build_schema("type Query { a: [Int!] b: [[Int]] }")
    result = await answer(schema, "{ a b }", {"a": broken(), "b": [[1], broken_later()]})
    assert result["data"] == {"a": None, "b": [[1], None]}
    assert sorted(result["errors"]) == [("broken", ["a"], [3]), ("broken", ["b", 1], [5])]
    assert closed == ["later"]


# Non-null


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


# Abstract types


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


# Directives


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


# Mutations


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


# Variables


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
