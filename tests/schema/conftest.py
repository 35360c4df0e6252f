"""The schema over a fresh SQLite store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.backends.open import open_backend
from app.backends.protocol import Backend
from app.model.identifiers import UserId
from app.rules.caller import Caller, Permission
from tests.schema.client import Api, build_services

ADA = Caller(UserId("ada"))
BOB = Caller(UserId("bob"))
READER = Caller(UserId("reader"), frozenset({Permission.READ_ALL_SESSIONS}))
WRITER = Caller(UserId("writer"), frozenset(Permission))


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    backend = await open_backend(f"sqlite:///{tmp_path / 'store.db'}")
    yield backend
    await backend.close()


@pytest.fixture
async def api(backend: Backend) -> Api:
    """The API as Ada sees it."""
    return Api(build_services(backend), ADA, [])


@pytest.fixture
def bob(api: Api) -> Api:
    """The API as Bob sees it: another user without permissions."""
    return api.acting_as(BOB)


@pytest.fixture
def reader(api: Api) -> Api:
    """The API for somebody who may see everything and change nothing of others."""
    return api.acting_as(READER)


@pytest.fixture
def writer(api: Api) -> Api:
    """The API for somebody who may see and change everything."""
    return api.acting_as(WRITER)
