from __future__ import annotations

import asyncio

import pytest
import strawberry

from app.execution.compiled.operation import ExecutionOptions
from app.execution.document import Prepared
from app.execution.executor import Executor
from app.execution.limits import QueryLimits
from app.execution.operation import Request
from tests.execution.library import Desk, Library, open_library

pytestmark = pytest.mark.usefixtures("both_ways", "nothing_left")

IMPATIENT = QueryLimits(timeout_seconds=0.02)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ('{ slow(name: "a") }', ["a"]),
        ('{ hello a: slow(name: "a") b: slow(name: "b") }', ["a", "b"]),
        ('{ a: slow(name: "a") book { b: slow(name: "b") c: slow(name: "c") } }', ["a", "b", "c"]),
        (
            '{ books(first: 3) { edges { node { slow(name: "x") more: slow(name: "y") } } } }',
            ["x", "x", "x", "y", "y", "y"],
        ),
    ],
)
async def test_an_operation_that_takes_too_long_is_stopped_with_all_its_resolvers(
    query: str, names: list[str]
) -> None:
    library, desk = open_library(IMPATIENT), Desk()
    response = await library.run(query, desk=desk)
    assert response["data"] is None
    assert response["errors"] == [
        {
            "message": "The operation took longer than 0.02 s and was stopped.",
            "locations": [{"line": 1, "column": 1}],
            "extensions": {"code": "OPERATION_TIMEOUT"},
        }
    ]
    assert set(response["extensions"]) == {"cost"}
    assert sorted(desk.cancelled) == names
    assert desk.finished == []
    assert library.reports == []


async def test_a_resolver_below_a_field_that_failed_is_stopped_too_if_it_was_started() -> None:
    library, desk = open_library(IMPATIENT), Desk()
    response = await library.run('{ slow(name: "a") book { slow(name: "b") failing } }', desk=desk)
    assert response["errors"][0]["extensions"] == {"code": "OPERATION_TIMEOUT"}
    assert "a" in desk.cancelled
    assert len(desk.cancelled) == desk.started
    assert desk.finished == []


async def test_an_operation_in_time_is_not_touched() -> None:
    library, desk = open_library(QueryLimits(timeout_seconds=60)), Desk()
    desk.release.set()
    response = await library.run('{ a: slow(name: "a") b: slow(name: "b") }', desk=desk)
    assert response["data"] == {"a": "a", "b": "b"}
    assert desk.cancelled == []


async def test_cancellation_passes_through_and_reaches_every_resolver(library: Library) -> None:
    desk = Desk(expected=3)
    request = Request('{ a: slow(name: "a") book { b: slow(name: "b") c: slow(name: "c") } }')
    prepared = library.executor.prepare(request)
    assert isinstance(prepared, Prepared)
    task = asyncio.create_task(library.executor.execute(prepared, request, desk))
    await desk.waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(desk.cancelled) == ["a", "b", "c"]
    assert library.reports == []


async def test_siblings_of_a_field_that_failed_at_once_do_not_go_on(library: Library) -> None:
    desk = Desk()
    response = await library.run('{ book { slow(name: "a") failing } hello }', desk=desk)
    assert response["data"] == {"book": None, "hello": "Hello, world!"}
    assert [error["path"] for error in response["errors"]] == [["book", "failing"]]
    assert desk.finished == []


async def test_siblings_in_other_branches_are_awaited_after_a_failure(library: Library) -> None:
    desk = Desk()
    desk.release.set()
    response = await library.run('{ slow(name: "a") book { failing } }', desk=desk)
    assert response["data"] == {"slow": "a", "book": None}
    assert desk.finished == ["a"]


async def test_nothing_more_is_run_after_a_resolver_that_hides_its_cancellation() -> None:
    ran: list[str] = []

    @strawberry.type
    class Query:
        x: int

    @strawberry.type
    class Mutation:
        @strawberry.field
        async def hiding(self) -> int | None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                raise ValueError("the store was interrupted") from None
            return 1

        @strawberry.field
        async def next(self) -> int | None:
            ran.append("next")
            return 2

    executor = Executor(
        strawberry.Schema(Query, mutation=Mutation),
        limits=IMPATIENT,
        options=ExecutionOptions(runs_before_compiling=0),
        describe_error=lambda _: None,
        report_error=lambda *_: None,
    )
    request = Request("mutation { hiding next }")
    prepared = executor.prepare(request)
    assert isinstance(prepared, Prepared)
    response = await executor.execute(prepared, request, None)
    assert response.errors[0]["extensions"] == {"code": "OPERATION_TIMEOUT"}
    assert ran == []
