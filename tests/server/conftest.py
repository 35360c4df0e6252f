"""Fixtures for a server over the small schema of `world`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, MutableMapping
from typing import Any

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from app.server.logging import add_request_id
from tests.server.world import World


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """The lines logged by a test, in place of standard output."""
    with capture_logs(processors=[add_request_id]) as lines:
        yield lines


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def url(world: World) -> AsyncIterator[str]:
    """The URL of a server with the default options."""
    async with world.serve() as url:
        yield url


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session
