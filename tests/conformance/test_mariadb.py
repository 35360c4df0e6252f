"""The MariaDB and MySQL backend passes the kit."""

from __future__ import annotations

import pytest

from app.backends.conformance import ConformanceTests, OpenNamed
from tests.databases import DatabaseServer


class TestMariadb(ConformanceTests):
    __test__ = True

    @pytest.fixture
    def open_store(self, mariadb: DatabaseServer) -> OpenNamed:
        return mariadb.open_stores()
