from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds how many random operations are compared."""
    parser.addoption("--cases", type=int, default=10_000, help="random operations to compare")
