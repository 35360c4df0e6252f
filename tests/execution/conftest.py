from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.execution.library import Library, open_library


@pytest.fixture
def library() -> Library:
    return open_library()


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
