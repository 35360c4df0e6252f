"""What nobody waits for any more is given up without a word, on graphql-core's way as well."""

from __future__ import annotations

import asyncio
import gc
import warnings

import pytest
import strawberry

from app.execution.compiled.operation import ExecutionOptions
from app.execution.document import Prepared
from app.execution.executor import Executor
from app.execution.operation import Request, ShownError


@strawberry.type
class Leaf:
    number: int

    @strawberry.field
    async def late(self) -> int:
        await asyncio.sleep(0)
        return self.number


@strawberry.type
class Branch:
    breaks: strawberry.Private[bool]

    @strawberry.field
    async def leaf(self) -> Leaf:
        await asyncio.sleep(0)
        return Leaf(number=1)

    @strawberry.field
    def leaves(self) -> list[Leaf]:
        return [Leaf(number=1), Leaf(number=2)]

    @strawberry.field
    def sound(self) -> int:
        if self.breaks:
            raise ValueError("broken")
        return 1


@strawberry.type
class Query:
    @strawberry.field
    def branches(self) -> list[Branch] | None:
        return [Branch(breaks=False), Branch(breaks=True)]

    @strawberry.field
    def branch(self) -> Branch | None:
        return Branch(breaks=True)


SCHEMA = strawberry.Schema(Query)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    "text",
    [
        "{ branches { leaf { number } sound } }",
        "{ branches { leaf { late } leaves { late } sound } }",
        "{ branch { leaf { number } leaves { late number } sound } }",
        "{ branch { leaves { late } sound } branches { leaves { late } sound } }",
    ],
)
async def test_what_would_have_been_awaited_beside_a_failure_is_given_up(
    text: str, compiled: bool
) -> None:
    executor = Executor(
        SCHEMA,
        describe_error=lambda error: ShownError(str(error), "BROKEN"),
        report_error=lambda _, __: None,
        options=ExecutionOptions(compiled=compiled, runs_before_compiling=0),
    )
    request = Request(text)
    prepared = executor.prepare(request)
    assert isinstance(prepared, Prepared)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        response = await executor.execute(prepared, request, None)
        gc.collect()
    assert {error["message"] for error in response.errors} == {"broken"}
    assert [str(one.message) for one in told] == []
