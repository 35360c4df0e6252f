"""Backends that search pass the kit's tests of it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from urllib.parse import quote

import pytest

from app.backends.conformance import OpenNamed
from app.backends.conformance.search import SearchTests
from app.backends.open import open_backend
from tests.conformance.reference import ReferenceBackend, ReferenceStore


class TestReferenceSearch(SearchTests):
    __test__ = True

    @pytest.fixture
    def open_store(self) -> OpenNamed:
        stores: defaultdict[str, ReferenceStore] = defaultdict(ReferenceStore)

        async def open_reference(name: str) -> ReferenceBackend:
            return ReferenceBackend(stores[name])

        return open_reference


class TestMemorySearch(SearchTests):
    __test__ = True

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenNamed:
        return lambda name: open_backend(f"memory://{quote(f'{tmp_path}-{name}', safe='')}")
