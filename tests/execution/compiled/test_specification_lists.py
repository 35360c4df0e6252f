"""Lists and their nulls, on graphql-core's executor and compiled.

The topics are those of graphql-core's own tests of execution.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from graphql import (
    build_schema,
)

from tests.execution.compiled.both_ways import Answer, later


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
