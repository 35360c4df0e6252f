from __future__ import annotations

import time

import pytest
from graphql import OperationDefinitionNode, get_introspection_query, parse
from hypothesis import given, settings

from app.execution import limits
from app.execution.fragments import fragments_inner_first
from app.execution.limits import Measure, QueryLimits, check_limits, measure_definition
from tests.execution.documents import Drawn, Field, Fragment, documents
from tests.execution.library import Library


def measure(text: str) -> Measure:
    document = parse(text)
    measured: dict[str, Measure] = {}
    for fragment in fragments_inner_first(document):
        measured[fragment.name.value] = measure_definition(fragment, measured)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return measure_definition(operation, measured)


def code_of(text: str, allowed: QueryLimits | None = None) -> str | None:
    error = check_limits(parse(text), allowed or QueryLimits())
    return None if error is None else str((error.extensions or {})["code"])


def aliased(count: int) -> str:
    return "{" + " ".join(f"a{i}: hello" for i in range(count)) + "}"


def directed(count: int) -> str:
    return "{" + " ".join(f"a{i % 20}: hello @skip(if: false)" for i in range(count)) + "}"


@pytest.mark.parametrize(
    ("allowed", "refused", "code"),
    [
        ("{" + "a {" * 11 + "a" + "}" * 12, "{" + "a {" * 12 + "a" + "}" * 13, "QUERY_TOO_DEEP"),
        (aliased(30), aliased(31), "TOO_MANY_ALIASES"),
        (directed(20), directed(21), "TOO_MANY_DIRECTIVES"),
        (
            "{ __schema {" + "a {" * 18 + "a" + "}" * 20,
            "{ __schema {" + "a {" * 19 + "a" + "}" * 21,
            "QUERY_TOO_DEEP",
        ),
        (
            "{ __schema { " + " ".join(f"a{i}: types {{ name }}" for i in range(3)) + "} }",
            "{ __schema { " + " ".join(f"a{i}: types {{ name }}" for i in range(4)) + "} }",
            "TOO_MANY_ALIASES",
        ),
        (
            "{ a: __schema { b: types { c: name } } }",
            "{ a: __schema { ...F } } fragment F on __Schema { b: types { c: name d: kind } }",
            "TOO_MANY_ALIASES",
        ),
    ],
)
def test_a_limit_allows_just_its_number(allowed: str, refused: str, code: str) -> None:
    assert code_of(allowed) is None
    assert code_of(refused) == code


def test_fragments_count_where_they_are_spread() -> None:
    fragment = "fragment F on Book { a: title b: title @skip(if: false) author { id } }"
    assert measure("{ book { ...F author { books { nodes { ...F } } } } }" + fragment) == Measure(
        depth=6, aliases=4, directives=2
    )


def test_directives_of_operations_variables_and_fragments_count() -> None:
    text = (
        "query Q($a: Int @x) @x { hello @x ...F @x ... @x { hello } } fragment F on Query @x { a }"
    )
    assert measure(text).directives == 6


def test_aliases_of_single_types_are_ordinary_ones() -> None:
    text = "{" + " ".join(f'a{i}: __type(name: "Book") {{ name }}' for i in range(30)) + "}"
    assert code_of(text) is None


def test_the_introspection_queries_of_tools_pass() -> None:
    assert code_of(get_introspection_query()) is None
    measured = measure(get_introspection_query())
    assert (measured.depth, measured.introspection_depth) == (0, 15)


def test_every_operation_of_a_document_is_checked() -> None:
    deep = "{" + "a {" * 12 + "a" + "}" * 13
    assert code_of(f"query A {{ hello }} query B {deep}") == "QUERY_TOO_DEEP"


@pytest.mark.parametrize(
    "text",
    [
        "{ ...A } fragment A on Query { ...A }",
        "{ ...A } fragment A on Query { book { ...B } } fragment B on Book { author { ...A } }",
        "{ ...Missing }",
        "{ ...A } fragment A on Query { hello } fragment A on Query { ...A }",
    ],
)
async def test_cycles_and_missing_fragments_are_left_to_validation(
    library: Library, text: str
) -> None:
    assert code_of(text) is None
    error = await library.refused(text)
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


def test_fragments_come_after_those_that_they_spread() -> None:
    text = "{ ...A } fragment A on Q { ...B ...C } fragment B on Q { ...C } fragment C on Q { x }"
    order = [fragment.name.value for fragment in fragments_inner_first(parse(text))]
    assert order == ["C", "B", "A"]


async def test_sixty_levels_of_doubling_fragments_are_measured_once_each(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = 60
    text = "{ ...F0 }" + "".join(
        f" fragment F{i} on Query {{ ...F{i + 1} ...F{i + 1} }}" for i in range(levels)
    )
    text += f" fragment F{levels} on Query {{ hello }}"
    visits: list[object] = []
    original = limits.measure_definition

    def counting(definition: object, measured: object) -> Measure:
        visits.append(definition)
        return original(definition, measured)  # type: ignore[arg-type]

    monkeypatch.setattr(limits, "measure_definition", counting)
    started = time.perf_counter()
    response = await library.run(text)
    elapsed = time.perf_counter() - started
    assert response["data"] == {"hello": "Hello, world!"}
    assert len(visits) == levels + 2
    assert elapsed < 2  # walking what the fragments expand to takes 2**60 steps


async def test_doubling_fragments_with_aliases_are_refused(library: Library) -> None:
    levels = 60
    text = "{ ...F0 }" + "".join(
        f" fragment F{i} on Query {{ ...F{i + 1} ... {{ ...F{i + 1} }} }}" for i in range(levels)
    )
    text += f" fragment F{levels} on Query {{ a: hello }}"
    error = await library.refused(text)
    assert error["extensions"] == {"code": "TOO_MANY_ALIASES"}
    assert str(2**levels) in error["message"]


async def test_a_field_repeated_over_and_over_does_not_hold_up_the_server(
    library: Library,
) -> None:
    error = await library.refused("{" + "book { id } " * 240 + "}")
    assert error["message"] == (
        "The document selects too many fields more than once to be validated."
    )


@settings(max_examples=100)
@given(documents())
def test_measures_equal_those_of_the_document_written_out(drawn: Drawn) -> None:
    everything = drawn.written_out(drawn.selections)
    assert measure(drawn.text) == Measure(
        depth=drawn.depth(drawn.selections),
        aliases=sum(isinstance(s, Field) and s.alias is not None for s in everything),
        directives=sum(bool(s.guard) for s in everything),
    )


def test_the_random_documents_count_as_one_would_by_hand() -> None:
    inner = Field("author", "a", "", "@skip(if: $no)", 1, 1, False, [])
    drawn = Drawn([Field("authors", None, "", "", 10, 1, False, [inner])], [Fragment("Book", [])])
    assert (drawn.nodes(drawn.selections), drawn.depth(drawn.selections)) == (20, 2)
