"""The PostgreSQL backend passes the kit."""

from __future__ import annotations

import pytest

from app.backends.conformance import ConformanceTests, OpenNamed
from tests.databases import DatabaseServer


class TestPostgresql(ConformanceTests):
    __test__ = True

    @pytest.fixture
    def open_store(self, postgresql: DatabaseServer) -> OpenNamed:
        return postgresql.open_stores()
