"""The pytest plugin of the kit: the option that names the stores to be tested, by URL."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--backend-url`."""
    parser.addoption(
        "--backend-url",
        metavar="URL",
        help="run the conformance kit on stores of this URL. Every test needs stores of its own: "
        "their names take the place of {name}, or are put in front of the URL's suffix",
    )
