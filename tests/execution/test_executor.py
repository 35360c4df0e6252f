from __future__ import annotations

from typing import Any

import pytest
import strawberry
from graphql import DocumentNode, get_introspection_query, parse
from strawberry.extensions import SchemaExtension

from app.execution import document
from app.execution.document import Prepared
from app.execution.executor import Executor
from app.execution.operation import OperationKind, Request, Response
from tests.execution.library import Desk, Library, open_library

pytestmark = pytest.mark.usefixtures("both_ways")


@strawberry.type
class Plain:
    hello: str = "Hello"


async def test_a_query_answers_with_its_data_and_cost(library: Library) -> None:
    assert await library.run("{ hello book { title author { name } } }") == {
        "data": {
            "hello": "Hello, world!",
            "book": {"title": "The Dispossessed", "author": {"name": "Ursula"}},
        },
        "extensions": {"cost": {"nodes": 2, "limit": 10_000}},
    }


async def test_variables_and_their_defaults_reach_resolvers(library: Library) -> None:
    query = 'query ($name: String = "Odo") { hello(name: $name) }'
    assert (await library.run(query))["data"] == {"hello": "Hello, Odo!"}
    assert (await library.run(query, {"name": "Shevek"}))["data"] == {"hello": "Hello, Shevek!"}


async def test_mutations_run_one_after_the_other(library: Library) -> None:
    desk = Desk()
    response = await library.run(
        'mutation { b: note(text: "1") a: note(text: "2") c: note(text: "3") }', desk=desk
    )
    assert response["data"] == {"b": "1", "a": "2", "c": "3"}
    assert desk.finished == ["1", "2", "3"]


async def test_the_standard_introspection_queries_pass_with_the_default_limits(
    library: Library,
) -> None:
    for full in (True, False):
        query = get_introspection_query(
            descriptions=full,
            specified_by_url=full,
            directive_is_repeatable=full,
            schema_description=full,
            input_value_deprecation=full,
            experimental_directive_deprecation=full,
            one_of=full,
        )
        response = await library.run(query)
        assert "errors" not in response
        assert response["data"]["__schema"]["queryType"]["name"] == "Query"
        assert response["extensions"]["cost"]["nodes"] == 0


def test_what_is_prepared_tells_its_kind_and_name_before_anything_runs(library: Library) -> None:
    text = 'query A { hello } mutation B { note(text: "") } subscription C { count(to: 1) }'
    expected = {
        "A": OperationKind.QUERY,
        "B": OperationKind.MUTATION,
        "C": OperationKind.SUBSCRIPTION,
    }
    for name, kind in expected.items():
        prepared = library.executor.prepare(Request(text, operation_name=name))
        assert isinstance(prepared, Prepared)
        assert (prepared.kind, prepared.operation_name) == (kind, name)


def test_a_document_is_parsed_once_and_shared_by_its_requests(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []

    def counting(source: str, **options: Any) -> DocumentNode:
        parsed.append(source)
        return parse(source, **options)

    monkeypatch.setattr(document, "parse", counting)
    first = library.executor.prepare(Request("{ hello }", {"a": 1}))
    second = library.executor.prepare(Request("{ hello }", {"b": 2}))
    assert first is second
    assert parsed == ["{ hello }"]


def test_a_document_that_fails_is_not_kept(library: Library) -> None:
    for query in ("{ nope }", "{", "{ hello }", "{ nope }"):
        library.executor.prepare(Request(query))
    assert len(library.executor._documents) == 1


@pytest.mark.parametrize(
    ("query", "name", "message"),
    [
        ("query A { hello }", "B", "Unknown operation named 'B'."),
        (
            "query A { hello } query B { hello }",
            None,
            "The document has several operations: operationName must say which to run.",
        ),
        ("{ hello }", "", "Unknown operation named ''."),
    ],
)
async def test_an_operation_that_is_not_there_is_a_request_error(
    library: Library, query: str, name: str | None, message: str
) -> None:
    assert await library.run(query, operation_name=name) == {
        "errors": [{"message": message, "extensions": {"code": "OPERATION_RESOLUTION_FAILURE"}}]
    }


async def test_each_kind_has_its_own_way_to_run(library: Library) -> None:
    query, subscription = Request("{ hello }"), Request("subscription { count(to: 1) }")
    prepared = library.executor.prepare(query), library.executor.prepare(subscription)
    assert isinstance(prepared[0], Prepared)
    assert isinstance(prepared[1], Prepared)
    with pytest.raises(ValueError, match="subscription"):
        await library.executor.execute(prepared[1], subscription, None)
    with pytest.raises(ValueError, match="subscription"):
        await library.executor.subscribe(prepared[0], query, None, renew=lambda: None)


def test_a_schema_with_strawberry_extensions_is_refused_rather_than_run_without_them() -> None:
    schema = strawberry.Schema(Plain, extensions=[SchemaExtension])
    with pytest.raises(ValueError, match="extensions"):
        Executor(schema, describe_error=lambda _: None, report_error=lambda *_: None)


async def test_a_request_error_has_no_data_and_a_field_error_has(library: Library) -> None:
    refused = library.executor.prepare(Request("{ nope }"))
    assert isinstance(refused, Response)
    assert refused.executed is False
    response = await library.run("{ failing hello }")
    assert response["data"] == {"failing": None, "hello": "Hello, world!"}


async def test_two_executors_share_nothing() -> None:
    one, other = open_library(), open_library()
    await one.run("{ failing }")
    assert (len(one.reports), len(other.reports)) == (1, 0)
    assert len(other.executor._documents) == 0
