from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    GraphQLSchema,
    parse,
    validate,
)

from app.execution.compiled.compiler import Compiler
from app.execution.compiled.run import CompiledRun
from app.execution.deadlines import Deadlines
from app.execution.running import Run
from tests.execution.compiled.both_ways import Answer, BothWays


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds how many random operations are compared."""
    parser.addoption("--cases", type=int, default=10_000, help="random operations to compare")


@pytest.fixture
def garbage_unheeded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets graphql-core leave coroutines behind that nobody awaits: it does on a failure."""
    monkeypatch.setattr(sys, "unraisablehook", lambda _unraisable: None)
    yield
    # A coroutine that goes may leave others that only it held.
    for _ in range(3):
        gc.collect()


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
        result = await chosen.result(Deadlines(10))
        shown: dict[str, Any] = {"data": result.data}
        if result.errors:
            shown["errors"] = [
                (error.message, error.path, [place.column for place in error.locations or ()])
                for error in result.errors
            ]
        return shown

    return run
