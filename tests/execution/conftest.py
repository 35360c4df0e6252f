from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.execution.compiled.operation import ExecutionOptions
from tests.execution import library as library_module
from tests.execution.library import Library, open_library


@pytest.fixture
def library() -> Library:
    return open_library()


@pytest.fixture(params=["graphql-core", "compiled"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs the test once on graphql-core's executor and once on compiled operations."""
    options = ExecutionOptions(compiled=request.param == "compiled", runs_before_compiling=0)
    monkeypatch.setattr(library_module, "USUAL_OPTIONS", options)


@pytest.fixture
async def nothing_left() -> AsyncIterator[None]:
    """Fails the test if a task goes on running or an exception was never retrieved."""
    loop = asyncio.get_running_loop()
    complaints: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: complaints.append(context))
    yield
    assert asyncio.all_tasks() == {asyncio.current_task()}
    gc.collect()
    assert complaints == []
