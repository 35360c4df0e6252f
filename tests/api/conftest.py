"""A running server and clients of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.api.server import HttpClient, serve


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    async with serve(tmp_path / "store.db") as url:
        yield url


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


@pytest.fixture
def client(url: str, http: ClientSession) -> HttpClient:
    return HttpClient(url, http)
