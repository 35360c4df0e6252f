from __future__ import annotations

import json
from typing import Any

import pytest

from app.execution.errors import MESSAGE_LENGTH
from tests.execution.library import SECRET, Library

pytestmark = pytest.mark.usefixtures("both_ways")

INTERNAL = {"message": "Internal error", "extensions": {"code": "INTERNAL_ERROR"}}


def without_place(error: dict[str, Any]) -> dict[str, Any]:
    return {key: error[key] for key in ("message", "extensions")}


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("{", None, "GRAPHQL_PARSE_FAILED"),
        ("", None, "GRAPHQL_PARSE_FAILED"),
        ("{ hello(name: 1", None, "GRAPHQL_PARSE_FAILED"),
        ("{ book {" + "...{" * 250 + "id" + "}" * 252, None, "GRAPHQL_PARSE_FAILED"),
        ("{ nope }", None, "GRAPHQL_VALIDATION_FAILED"),
        ("{ ...F } fragment F on Query { ...F }", None, "GRAPHQL_VALIDATION_FAILED"),
        ("fragment F on Query { hello }", None, "GRAPHQL_VALIDATION_FAILED"),
        ("type A { b: Int }", None, "GRAPHQL_VALIDATION_FAILED"),
        ("{ hello(name: 1) }", None, "GRAPHQL_VALIDATION_FAILED"),
        ("query ($n: String!) { hello(name: $n) }", None, "BAD_USER_INPUT"),
        ("query ($n: String!) { hello(name: $n) }", {"n": 5}, "BAD_USER_INPUT"),
        ("query ($n: String!) { hello(name: $n) }", {"n": {"deep": []}}, "BAD_USER_INPUT"),
        ("{" + "hello " * 1001 + "}", None, "TOO_MANY_TOKENS"),
        ("#\n" * 501 + "{ hello }", None, "TOO_MANY_TOKENS"),
    ],
)
async def test_a_request_that_cannot_run_gets_one_error_with_its_code(
    library: Library, query: str, variables: dict[str, Any] | None, code: str
) -> None:
    error = await library.refused(query, variables)
    assert error["extensions"]["code"] == code
    assert library.reports == []


async def test_of_many_validation_errors_the_first_is_reported(library: Library) -> None:
    error = await library.refused("{ one two three(a: 1) " + "more " * 200 + "}")
    assert error["message"] == "Cannot query field 'one' on type 'Query'."


async def test_errors_say_where(library: Library) -> None:
    assert (await library.refused("{\n  nope\n}"))["locations"] == [{"line": 2, "column": 3}]
    response = await library.run("{ book { title failing } }")
    assert response["data"] == {"book": None}
    assert response["errors"] == [
        {
            "message": "Internal error",
            "locations": [{"line": 1, "column": 16}],
            "path": ["book", "failing"],
            "extensions": {"code": "INTERNAL_ERROR"},
        }
    ]


async def test_an_exception_that_is_described_is_shown_as_described(library: Library) -> None:
    (error,) = (await library.run("{ soldOut }"))["errors"]
    assert without_place(error) == {
        "message": "No copies left",
        "extensions": {"copies": 0, "code": "OUT_OF_STOCK"},
    }
    assert library.reports == []


@pytest.mark.parametrize("field", ["failing", "uncoded", "badlyTyped", "unexpectedlyNull"])
async def test_an_unknown_exception_is_masked_and_reported_once(
    library: Library, field: str
) -> None:
    response = await library.run(f"query Q {{ {field} }}")
    (error,) = response["errors"]
    assert without_place(error) == INTERNAL
    assert SECRET not in json.dumps(response)
    ((_reported, details),) = library.reports
    assert details == {"operation_kind": "query", "operation_name": "Q", "path": [field]}


async def test_the_report_is_the_exception_itself_with_its_traceback(library: Library) -> None:
    await library.run("{ failing }")
    ((reported, _details),) = library.reports
    assert isinstance(reported, RuntimeError)
    assert str(reported) == SECRET
    assert reported.__traceback__ is not None


async def test_one_exception_that_many_fields_met_is_reported_once(library: Library) -> None:
    response = await library.run("{ manyFailing }")
    assert [error["path"] for error in response["errors"]] == [
        ["manyFailing", 0],
        ["manyFailing", 1],
    ]
    assert len(library.reports) == 1


async def test_a_graphql_error_that_carries_a_code_is_shown(library: Library) -> None:
    (error,) = (await library.run("{ coded }"))["errors"]
    assert without_place(error) == {
        "message": "Come back later",
        "extensions": {"code": "CLOSED", "until": 8},
    }
    assert library.reports == []


async def test_a_resolver_that_awaits_what_was_cancelled_fails_alone(library: Library) -> None:
    response = await library.run("{ abandoned hello }")
    assert response["data"] == {"abandoned": None, "hello": "Hello, world!"}
    (error,) = response["errors"]
    assert without_place(error) == INTERNAL
    assert len(library.reports) == 1


@pytest.mark.parametrize(
    ("query", "variables", "code", "message"),
    [
        (
            "query ($s: Shelf!) { onShelf(shelf: $s) }",
            {"s": "X"},
            "BAD_USER_INPUT",
            "Variable '$s' has invalid value: Expected value of type 'Shelf', found: 'X'.",
        ),
        (
            '{ onShelf(shelf: "X") }',
            None,
            "GRAPHQL_VALIDATION_FAILED",
            "Expected value of type 'Shelf', found: \"X\".",
        ),
    ],
)
async def test_what_a_scalar_raises_on_a_wrong_value_is_not_shown(
    library: Library, query: str, variables: dict[str, Any] | None, code: str, message: str
) -> None:
    error = await library.refused(query, variables)
    assert without_place(error) == {"message": message, "extensions": {"code": code}}
    assert library.reports == []


async def test_a_null_where_a_directive_needs_a_value_is_the_clients_error(
    library: Library,
) -> None:
    response = await library.run(
        "query ($yes: Boolean = true) { hello @include(if: $yes) }", {"yes": None}
    )
    assert response["data"] is None
    assert response["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert library.reports == []


async def test_a_long_message_is_cut(library: Library) -> None:
    error = await library.refused("{ books(first: " + "9" * 5000 + ") { totalCount } }")
    assert len(error["message"]) == MESSAGE_LENGTH + 1
    assert error["message"].endswith("…")


async def test_an_input_of_one_must_have_exactly_one_field(library: Library) -> None:
    both = '{ find(target: { book: "a", author: "b" }) }'
    assert (await library.refused(both))["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    variable = "query ($t: Target!) { find(target: $t) }"
    error = await library.refused(variable, {"t": {"book": "a", "author": "b"}})
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "data" in await library.run(variable, {"t": {"book": "a"}})


@pytest.mark.parametrize(
    "query",
    [
        "fragment F on Query { find(target: { book: $b }) } query ($b: String!) { ...F }",
        "query ($b: String!) { ...F } fragment F on Query { find(target: { book: $b }) }",
    ],
)
async def test_a_variable_in_an_input_of_one_may_be_used_in_a_fragment(
    library: Library, query: str
) -> None:
    response = await library.run(query, {"b": "x"})
    assert "errors" not in response


async def test_an_undefined_variable_in_an_input_of_one_is_named(library: Library) -> None:
    error = await library.refused("{ find(target: { book: $b }) }")
    assert error["message"] == "Variable '$b' is not defined."


async def test_a_null_for_a_field_that_may_only_be_left_out_is_refused(library: Library) -> None:
    error = await library.refused("mutation { change(change: { title: null }) }")
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    response = await library.run(
        "mutation ($c: Change!) { change(change: $c) }", {"c": {"title": None}}
    )
    assert response["data"] is None
    assert response["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert library.reports == []
