"""Searching the files' index finds the same when its texts are settled, in one run or many."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.backends.conformance import OpenNamed
from app.backends.conformance.search import SearchTests
from app.backends.files import search, session_pages, texts
from app.backends.files.open import open_files
from app.backends.protocol import Backend


class FilesSearchTests(SearchTests):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenNamed:
        async def open_named(name: str) -> Backend:
            backend, _ = await open_files(tmp_path / name)
            return backend

        return open_named


class TestSettledTexts(FilesSearchTests):
    __test__ = True

    @pytest.fixture(autouse=True)
    def _settle_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(texts, "FRESH_TEXTS", 1)


class TestManyRuns(FilesSearchTests):
    __test__ = True

    @pytest.fixture(autouse=True)
    def _settle_two_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(texts, "FRESH_TEXTS", 1)
        monkeypatch.setattr(texts, "_BATCH_TEXTS", 2)
        monkeypatch.setattr(search, "_FEW_RUNS", 1)
        monkeypatch.setattr(search, "_FEW", 3)
        monkeypatch.setattr(session_pages, "_MANY", 2)
        monkeypatch.setattr(session_pages, "_MISSES", 1)
