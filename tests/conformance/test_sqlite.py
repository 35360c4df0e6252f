"""The SQLite backend passes the kit."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.backends.conformance import ConformanceTests, OpenNamed
from app.backends.open import open_backend


class TestSqlite(ConformanceTests):
    __test__ = True

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenNamed:
        return lambda name: open_backend(f"sqlite:///{tmp_path / name}.db")
