"""The memory backend passes the kit."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from app.backends.conformance import ConformanceTests, OpenNamed
from app.backends.open import open_backend


class TestMemory(ConformanceTests):
    __test__ = True

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenNamed:
        # Names last as long as the process, so each test has its own.
        return lambda name: open_backend(f"memory://{quote(f'{tmp_path}-{name}', safe='')}")
