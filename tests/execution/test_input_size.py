"""Variables are counted before anything is made of them, and a document's length before parsing."""

from __future__ import annotations

from typing import Any

import pytest
import strawberry
from hypothesis import given
from hypothesis import strategies as st

from app.execution.executor import Executor
from app.execution.limits import QueryLimits
from app.execution.operation import Request, Response

made: list[object] = []


@strawberry.input
class Leaf:
    name: str = ""

    def __post_init__(self) -> None:
        made.append(self)


@strawberry.input
class Branch:
    leaves: list[Leaf] = strawberry.field(default_factory=list)
    grid: list[list[int]] = strawberry.field(default_factory=list)


@strawberry.type
class Query:
    @strawberry.field
    def count(self, branches: list[Branch]) -> int:
        return len(branches)


SCHEMA = strawberry.Schema(query=Query)
COUNT = "query ($branches: [Branch!]!) { count(branches: $branches) }"


def build(limit: int) -> Executor:
    return Executor(
        SCHEMA,
        limits=QueryLimits(input_values=limit),
        describe_error=lambda _: None,
        report_error=lambda _error, _details: None,
    )


async def ask(executor: Executor, branches: Any) -> Response:
    request = Request(COUNT, {"branches": branches})
    prepared = executor.prepare(request)
    assert not isinstance(prepared, Response)
    return await executor.execute(prepared, request, None)


def naive(branches: list[dict[str, Any]]) -> int:
    return sum(
        2 + 2 * len(branch["leaves"]) + sum(1 + len(row) for row in branch["grid"])
        for branch in branches
    )


BRANCHES = st.lists(
    st.fixed_dictionaries(
        {
            "leaves": st.lists(st.just({"name": "a"}), max_size=4),
            "grid": st.lists(st.lists(st.integers(0, 9), max_size=3), max_size=3),
        }
    ),
    max_size=4,
)


@given(BRANCHES)
async def test_the_limit_is_the_number_of_objects_and_items(branches: list[dict[str, Any]]) -> None:
    size = naive(branches)
    assert (await ask(build(size), branches)).data == {"count": len(branches)}
    if size:
        refused = await ask(build(size - 1), branches)
        assert not refused.executed
        assert refused.errors[0]["extensions"]["code"] == "TOO_MANY_INPUT_VALUES"


async def test_nothing_is_made_of_what_is_refused() -> None:
    made.clear()
    refused = await ask(build(100), [{"leaves": [{"name": "a"}] * 50_000}])
    assert refused.errors == [
        {
            "message": "The variables hold more than 100 objects and list items: send fewer.",
            "extensions": {"code": "TOO_MANY_INPUT_VALUES"},
        }
    ]
    assert made == []


@pytest.mark.parametrize("branches", [None, 3, "x", [3], [{"leaves": 3}], [{"nope": [1] * 9}]])
async def test_values_of_the_wrong_type_are_the_users_error(branches: Any) -> None:
    refused = await ask(build(100), branches)
    assert refused.errors[0]["extensions"]["code"] == "BAD_USER_INPUT"


def test_a_long_document_is_refused_before_it_is_parsed() -> None:
    executor = build(100)
    text = "{ count(branches: []) } #" + "x" * 100_000
    refused = executor.prepare(Request(text))
    assert isinstance(refused, Response)
    assert refused.errors[0]["extensions"]["code"] == "QUERY_TOO_LONG"
    assert not isinstance(executor.prepare(Request(text[:1000])), Response)
