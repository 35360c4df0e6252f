"""What a backend says of itself is true."""

from __future__ import annotations

import pytest

from app.backends.conformance.samples import (
    created,
    done,
    log_of,
    numbered,
    records_of,
    session_of,
)
from app.backends.conformance.subject import BackendTests, OpenStore
from app.backends.protocol import Backend


class CapabilityTests(BackendTests):
    """Capabilities are declared, with a reason where there is none."""

    async def test_what_is_not_supported_has_a_reason(self, backend: Backend) -> None:
        capabilities = backend.capabilities
        assert capabilities.name
        for support in (capabilities.durable, capabilities.several_processes):
            assert support.supported or support.reason

    async def test_a_durable_store_keeps_what_it_has_acknowledged(
        self, backend: Backend, second_process: OpenStore
    ) -> None:
        if not backend.capabilities.durable.supported:
            pytest.skip(backend.capabilities.durable.reason)
        await done(backend, created(messages=numbered(2)))
        other = await second_process()
        assert await session_of(other) == await session_of(backend)
        assert await log_of(other) == await log_of(backend)
        assert await records_of(other) == await records_of(backend)
