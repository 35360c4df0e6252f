"""All tests of searching in one class."""

from __future__ import annotations

from app.backends.conformance.search_matching import SearchMatchingTests
from app.backends.conformance.search_order import SearchOrderTests
from app.backends.conformance.search_upkeep import SearchUpkeepTests
from app.backends.conformance.session_search import SessionSearchTests


class SearchTests(SearchMatchingTests, SearchOrderTests, SearchUpkeepTests, SessionSearchTests):
    """Every test of searching that a backend must pass."""
