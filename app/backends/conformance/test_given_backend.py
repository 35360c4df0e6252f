"""The kit on a backend that is opened by URL, given with `--backend-url`; see the plugin."""

from __future__ import annotations

import uuid
from pathlib import PurePosixPath

import pytest

from app.backends.conformance import ConformanceTests, OpenNamed
from app.backends.open import open_backend


def url_of(url: str, name: str) -> str:
    """Returns the URL of the store of that name."""
    if "{name}" in url:
        return url.replace("{name}", name)
    suffix = PurePosixPath(url).suffix
    return f"{url.removesuffix(suffix)}-{name}{suffix}"


class TestGivenBackend(ConformanceTests):
    """Every test that a backend must pass."""

    __test__ = True

    @pytest.fixture
    def open_store(self, request: pytest.FixtureRequest) -> OpenNamed:
        """Opens stores beside the one of the URL, with names that no other test uses."""
        url = request.config.getoption("--backend-url")
        if not url:
            pytest.fail("say which backend to test: --backend-url URL", pytrace=False)
        mine = uuid.uuid4().hex[:12]
        return lambda name: open_backend(url_of(url, f"{mine}-{name}"))
