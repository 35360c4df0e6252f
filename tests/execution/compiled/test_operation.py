"""Which operations are compiled, when, and how long that is kept."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from graphql import get_introspection_query

from app.execution.compiled import compiler
from app.execution.compiled.arguments_used import ignores_argument
from app.execution.compiled.kinds import AWAITABLE, FAULT, KINDS, NULL, PLAIN, UNSURE
from app.execution.compiled.operation import MOST_PLANS, ExecutionOptions
from app.execution.compiled.paths import keys_of, lazy_path
from app.execution.compiled.plan import Plan
from app.execution.document import Prepared
from app.execution.limits import QueryLimits
from app.execution.operation import Request
from tests.execution.library import Library, open_library

AT_ONCE = ExecutionOptions(compiled=True, runs_before_compiling=0)


def prepared_by(library: Library, text: str) -> Prepared:
    prepared = library.executor.prepare(Request(text))
    assert isinstance(prepared, Prepared)
    return prepared


def plans_alive() -> int:
    gc.collect()
    return sum(isinstance(found, Plan) for found in gc.get_objects())


async def test_an_operation_is_compiled_when_it_is_run_again() -> None:
    library = open_library(options=ExecutionOptions())
    for _ in range(3):
        assert (await library.run("{ hello }"))["data"] == {"hello": "Hello, world!"}
    statistics = library.executor.statistics
    assert (statistics.plans, statistics.compiled_runs) == (1, 2)
    assert statistics.fallbacks == {"first run": 1}
    assert (statistics.document_misses, statistics.document_hits) == (1, 2)


async def test_switched_off_nothing_is_compiled() -> None:
    library = open_library(options=ExecutionOptions(compiled=False))
    for _ in range(3):
        await library.run("{ hello }")
    statistics = library.executor.statistics
    assert (statistics.plans, statistics.compiled_runs, statistics.fallbacks) == (0, 0, {})


@pytest.mark.parametrize(
    ("text", "variables", "reason"),
    [
        (get_introspection_query(), {}, "introspection"),
        ('{ hello __type(name: "Book") { name } }', {}, "introspection"),
        ("query ($a: Boolean = true) { hello @include(if: $a) }", {"a": None}, "conditions"),
        (
            "query ($a: Boolean!) { ...F @include(if: $a) } fragment F on Query { __schema"
            " { queryType { name } } }",
            {"a": False},
            "introspection",
        ),
    ],
)
async def test_what_is_not_compiled_goes_graphql_cores_way_and_is_counted(
    text: str, variables: dict[str, Any], reason: str
) -> None:
    library, plain = open_library(options=AT_ONCE), open_library(options=ExecutionOptions(False))
    assert await library.run(text, variables) == await plain.run(text, variables)
    assert library.executor.statistics.fallbacks == {reason: 1}
    assert library.executor.statistics.plans == 0


async def test_each_combination_of_conditions_has_a_plan_up_to_a_bound() -> None:
    library = open_library(options=AT_ONCE)
    names = "abcd"
    declared = ", ".join(f"${name}: Boolean!" for name in names)
    fields = " ".join(f"{name}: hello @include(if: ${name})" for name in names)
    text = f"query ({declared}) {{ __typename {fields} }}"
    for number in range(16):
        variables = {name: bool(number >> bit & 1) for bit, name in enumerate(names)}
        data = (await library.run(text, variables))["data"]
        assert list(data) == ["__typename", *(name for name in names if variables[name])]
    assert library.executor.statistics.plans == MOST_PLANS
    assert library.executor.statistics.fallbacks == {"conditions": 16 - MOST_PLANS}


async def test_fragments_that_blow_up_share_their_functions() -> None:
    limits = QueryLimits(depth=40, nodes=10**12, aliases=10**6)
    library = open_library(limits, AT_ONCE)
    levels = 12
    fragments = "".join(
        f"fragment F{n} on Author {{ {' '.join(inside(n, alias) for alias in 'ab')} }}"
        for n in range(levels)
    )
    text = f"{{ book {{ author {{ ...F0 }} }} }} {fragments} fragment F{levels} on Author {{ id }}"
    assert (await library.run(text))["data"]["book"] is not None
    ((plan, _number),) = prepared_by(library, text).compiled._plans.values()
    assert plan.source.count("def ") < 10 * levels


async def test_an_operation_with_too_many_fields_is_not_compiled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compiler, "MOST_FIELDS", 3)
    library = open_library(options=AT_ONCE)
    for _ in range(2):
        response = await library.run("{ hello book { title author { name } } }")
        assert response["data"]["book"]["author"] == {"name": "Ursula"}
    assert library.executor.statistics.fallbacks == {"size": 2}
    assert library.executor.statistics.plans == 0


def inside(level: int, alias: str) -> str:
    return f"{alias}: books(first: 1) {{ nodes {{ author {{ ...F{level + 1} }} }} }}"


async def test_a_flood_of_documents_used_once_compiles_nothing_and_leaves_plans_in_use() -> None:
    library = open_library(QueryLimits(cached_documents=20), ExecutionOptions())
    for _ in range(2):
        await library.run("{ book { title } }")
    for number in range(300):
        await library.run(f"query Q{number} {{ hello }}")
    await library.run("{ book { title } }")
    statistics = library.executor.statistics
    assert (statistics.plans, statistics.compiled_runs) == (1, 2)


async def test_plans_leave_memory_with_their_documents() -> None:
    before = plans_alive()
    library = open_library(QueryLimits(cached_documents=20), AT_ONCE)
    for number in range(300):
        for _ in range(2):
            await library.run(f"query Q{number} {{ book {{ title author {{ name }} }} }}")
    assert library.executor.statistics.plans == 300
    assert plans_alive() - before <= 20


async def test_the_memory_of_all_plans_is_bounded_and_the_last_used_stay() -> None:
    before = plans_alive()
    options = ExecutionOptions(runs_before_compiling=0, plan_characters=3_000)
    library = open_library(options=options)
    used = "{ book { title author { name } } }"
    for number in range(50):
        text = f"query ($a: Boolean!) {{ hello x{number}: hello @include(if: $a) }}"
        for condition in (True, False):
            await library.run(text, {"a": condition})
        assert (await library.run(used))["data"]["book"]["author"] == {"name": "Ursula"}
    assert library.executor.statistics.plans == 101
    assert 1 < plans_alive() - before < 12


async def test_generated_code_is_gone_when_nothing_holds_its_document() -> None:
    library = open_library(options=AT_ONCE)
    await library.run("{ book { title } }")
    prepared = prepared_by(library, "{ book { title } }")
    ((plan, _number),) = prepared.compiled._plans.values()
    build = weakref.ref(plan.fields[0])
    del library, prepared, plan
    gc.collect()
    assert build() is None


async def test_nothing_of_a_document_gets_into_the_generated_code_but_names() -> None:
    library = open_library(options=AT_ONCE)
    text = '{ hello(name: "\\"); import os #") tricky_name: hello }'
    assert (await library.run(text))["data"] == {
        "hello": 'Hello, "); import os #!',
        "tricky_name": "Hello, world!",
    }
    ((plan, _number),) = prepared_by(library, text).compiled._plans.values()
    assert "import os" not in plan.source
    assert "'tricky_name'" in plan.source


def test_kinds_are_told_by_type() -> None:
    class Computed:
        def __getattr__(self, name: str) -> Any:
            raise AttributeError(name)

    class Awaits:
        def __await__(self) -> Any:
            yield

    expected: dict[int, list[type]] = {
        PLAIN: [str, int, dict, list, QueryLimits],
        NULL: [type(None)],
        FAULT: [ValueError],
        AWAITABLE: [Awaits],
        UNSURE: [Computed, type],
    }
    for kind, types in expected.items():
        assert [KINDS[type_] for type_ in types] == [kind] * len(types)


def test_whether_a_function_looks_at_an_argument() -> None:
    class Methods:
        @classmethod
        def ignores(cls, value: object, _info: object) -> bool:
            return isinstance(value, cls)

        @classmethod
        def looks(cls, value: object, info: object) -> bool:
            return value is info

    def closes_over(value: object, info: object) -> Any:
        return lambda: info

    def reflects(value: object, info: object) -> Any:
        return locals()

    def takes_all(value: object, *rest: object) -> str:
        return type(value).__name__

    def passes_on(value: object, *rest: object) -> object:
        return rest

    assert ignores_argument(Methods.ignores, 1)
    assert ignores_argument(takes_all, 1)
    for looks in (Methods.looks, closes_over, reflects, passes_on, print):
        assert not ignores_argument(looks, 1)


def test_a_path_is_graphql_cores_path() -> None:
    linked = (((None, "a", "Query"), 0, None), "b", "Item")
    path = lazy_path(linked)
    assert path.as_list() == keys_of(linked) == ["a", 0, "b"]
    assert path.prev is not None
    assert (path.prev.key, path.typename) == (0, "Item")
    before, key, typename = path
    assert before is not None
    assert (before.as_list(), key, typename) == (["a", 0], "b", "Item")
    assert before[0] == (None, "a", "Query")
    assert path.add_key("c").as_list() == ["a", 0, "b", "c"]
    assert path == (((None, "a", "Query"), 0, None), "b", "Item")
