"""The JSONL backend passes the kit."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.backends.conformance import ConformanceTests, OpenNamed
from app.backends.files.open import open_files
from app.backends.protocol import Backend


class TestFiles(ConformanceTests):
    __test__ = True

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenNamed:
        async def open_named(name: str) -> Backend:
            backend, _ = await open_files(tmp_path / name)
            return backend

        return open_named
