"""The conformance kit: what a backend must do, as tests that any backend can run.

A backend of this project or of anyone else's is tested by a subclass of `ConformanceTests`:

    class TestMine(ConformanceTests):
        __test__ = True

        @pytest.fixture
        def open_store(self, tmp_path):
            return lambda name: open_mine(tmp_path / name)

`open_store` opens the store of a name, the same one for the same name; where the backend lives
elsewhere, the names may be of databases. A store that is opened by URL needs no code at all:

    pytest -p app.backends.conformance.plugin --pyargs app.backends.conformance \\
        --backend-url sqlite:////tmp/kit/store.db

Each group is a class of its own, to be run alone while a backend is being written. After every
test the store is opened once more and must pass its own check.
"""

import pytest

_GROUPS = (
    "capabilities",
    "changes",
    "commit",
    "directory",
    "following",
    "fork",
    "keys",
    "lifecycle",
    "log",
    "message_paging",
    "numbering",
    "samples",
    "search_matching",
    "search_order",
    "search_samples",
    "search_upkeep",
    "session_paging",
    "session_search",
    "transfer",
    "visibility",
)

# Before they are imported: then a failing assertion of the kit shows what was compared.
pytest.register_assert_rewrite(*(f"{__name__}.{group}" for group in _GROUPS))

from app.backends.conformance.kit import ConformanceTests  # noqa: E402
from app.backends.conformance.subject import OpenNamed  # noqa: E402

__all__ = ["ConformanceTests", "OpenNamed"]
