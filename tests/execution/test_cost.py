from __future__ import annotations

from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse
from hypothesis import given, settings

from app.execution import cost
from app.execution.cost_compiler import CostCompiler
from app.execution.limits import QueryLimits
from app.execution.strawberry_schema import core_schema
from tests.execution.documents import IDS, VARIABLES, Drawn, documents
from tests.execution.library import SCHEMA, Desk, Library, open_library


def count(query: str, variables: dict[str, Any] | None = None) -> int:
    document = parse(query)
    compiler = CostCompiler(core_schema(SCHEMA), QueryLimits(), document)
    (operation,) = (d for d in document.definitions if isinstance(d, OperationDefinitionNode))
    return compiler.compile(operation).count(variables or {})


@pytest.mark.parametrize(
    ("query", "nodes"),
    [
        ("{ hello __typename }", 0),
        ("{ book { id title tags } }", 1),
        ("{ book { author { name } } }", 2),
        ("{ books(first: 20) { edges { cursor node { id } } pageInfo { hasNextPage } } }", 20),
        ("{ books(first: 20) { edges { node { author { name } } } } }", 40),
        ("{ books(last: 5) { nodes { id } } }", 5),
        ("{ books { edges { node { id } } } }", 50),
        ("{ books(first: null) { edges { node { id } } } }", 50),
        ("{ books(first: 0) { edges { node { id } } } }", 0),
        ("{ books(first: 500) { edges { node { id } } } }", 500),
        ("{ books(first: 3, last: 8) { edges { node { id } } } }", 8),
        ("{ books(first: 4) { edges { node { reviews { edges { node { id } } } } } } }", 84),
        ("{ authors { name } }", 10),
        ('{ nodes(ids: ["a", "b", "c"]) { id } }', 3),
        ('{ nodes(ids: "a") { id } }', 1),
        ("{ nodes(ids: []) { id } }", 0),
        ("{ a: book { id } b: book { id } }", 2),
        ("{ ...F } fragment F on Query { book { id } }", 1),
        ("{ __schema { types { name fields { name } } } }", 0),
        ("mutation { note(text: 1) }", 0),
        ("subscription { arrivals { id author { name } } }", 2),
    ],
)
def test_nodes_are_counted_through_pages_and_lists(query: str, nodes: int) -> None:
    assert count(query) == nodes


def test_a_page_read_for_its_cursors_alone_costs_its_size() -> None:
    assert count("{ books(first: 30) { pageInfo { hasNextPage } } }") == 30
    assert count("{ books(first: 30) { edges { cursor } } }") == 30
    assert count("{ books(first: 30) { totalCount } }") == 0


def test_variables_decide_sizes_and_what_is_skipped() -> None:
    pages = "query ($n: Int) { books(first: $n) { edges { node { id } } } }"
    assert [count(pages, {"n": n}) for n in (7, 0, -3, None)] == [7, 0, 0, 50]
    assert count(pages) == 50
    ids = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert count(ids, {"ids": ["a", "b"]}) == 2
    guarded = (
        "query ($x: Boolean!)"
        " { book @include(if: $x) { id } b: book @skip(if: $x) { author { id } } }"
    )
    assert [count(guarded, {"x": x}) for x in (True, False)] == [1, 2]


async def test_the_default_of_a_variable_counts(library: Library) -> None:
    query = "query ($n: Int = 30) { books(first: $n) { edges { node { id } } } }"
    assert (await library.run(query))["extensions"]["cost"]["nodes"] == 30
    assert (await library.run(query, {"n": 2}))["extensions"]["cost"]["nodes"] == 2


async def test_an_operation_over_the_limit_is_refused_and_nothing_runs(library: Library) -> None:
    desk = Desk()
    query = (
        'query ($n: Int) { slow(name: "never")'
        " books(first: $n) { edges { node { reviews(first: 100) { edges { node { id } } } } } } }"
    )
    response = await library.run(query, {"n": 100}, desk=desk)
    assert response == {
        "errors": [
            {
                "message": "The operation may give 10100 nodes; at most 10000 are allowed."
                " Ask for smaller pages or fewer nested lists.",
                "locations": [{"line": 1, "column": 1}],
                "extensions": {"code": "QUERY_TOO_COSTLY"},
            }
        ],
        "extensions": {"cost": {"nodes": 10_100, "limit": 10_000}},
    }
    assert not desk.waiting.is_set()


async def test_the_limit_itself_is_allowed() -> None:
    library = open_library(QueryLimits(nodes=3))
    query = "query ($n: Int) { books(first: $n) { edges { node { id } } } }"
    assert "data" in await library.run(query, {"n": 3})
    assert (await library.refused(query, {"n": 4}))["extensions"]["code"] == "QUERY_TOO_COSTLY"


def test_fragments_that_double_at_each_level_are_counted_once_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    levels = 60
    text = "query ($n: Int) { ...F0 }" + "".join(
        f" fragment F{i} on Query {{ ...F{i + 1} ...F{i + 1} }}" for i in range(levels)
    )
    text += f" fragment F{levels} on Query {{ books(first: $n) {{ nodes {{ id }} }} }}"
    visits = 0
    page_items = cost.PageSize.items

    def counting(page: cost.PageSize, variables: dict[str, Any]) -> int:
        nonlocal visits
        visits += 1
        return page_items(page, variables)

    monkeypatch.setattr(cost.PageSize, "items", counting)
    assert count(text, {"n": 2}) == 2 * 2**levels
    assert visits == 1


@settings(max_examples=100)
@given(documents())
def test_the_cost_equals_that_of_the_document_written_out(drawn: Drawn) -> None:
    assert count(drawn.text, {**VARIABLES, "ids": IDS}) == drawn.nodes(drawn.selections)
