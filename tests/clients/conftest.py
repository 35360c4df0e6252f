"""A server over the small schema of `tests.server.world`, for clients written by others."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.clients.node import install_clients
from tests.server.world import World


@pytest.fixture(scope="session")
def node_clients() -> None:
    """The JavaScript clients are installed."""
    install_clients()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def url(world: World) -> AsyncIterator[str]:
    async with world.serve() as url:
        yield url
