"""The reference model passes the kit: what the kit asks for can be done."""

from __future__ import annotations

from collections import defaultdict

import pytest

from app.backends.conformance import ConformanceTests, OpenNamed
from tests.conformance.reference import ReferenceBackend, ReferenceStore


class TestReference(ConformanceTests):
    __test__ = True

    @pytest.fixture
    def open_store(self) -> OpenNamed:
        stores: defaultdict[str, ReferenceStore] = defaultdict(ReferenceStore)

        async def open_reference(name: str) -> ReferenceBackend:
            return ReferenceBackend(stores[name])

        return open_reference
