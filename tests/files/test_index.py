"""The index is derived: it can be deleted, damaged or left behind at any time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.backends.conformance.samples import (
    FIRST,
    SECOND,
    changed,
    created,
    done,
    errors_found,
    numbered,
    records_of,
    said,
    session_of,
    texts_of,
)
from app.backends.files import index
from app.backends.files.backend import FilesBackend
from app.backends.files.open import open_files
from app.backends.protocol import EVERYTHING
from app.model.changes import AddMessages, RenameSession
from app.model.errors import StoreUnavailable
from app.model.paging import Page, SessionPageRequest, Window
from tests.files.index_files import change_index, delete_index


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
async def backend(root: Path) -> AsyncIterator[FilesBackend]:
    backend, _ = await open_files(root)
    await done(backend, created(FIRST, messages=numbered(3)))
    await done(backend, created(SECOND, messages=numbered(2)))
    yield backend
    await backend.close()


async def test_deleting_it_under_two_processes_that_run_is_no_matter(
    backend: FilesBackend, root: Path
) -> None:
    other, _ = await open_files(root)
    records = await records_of(other)
    delete_index(root)
    assert await records_of(backend) == records
    delete_index(root)
    await done(other, changed(AddMessages((said("after"),)), at=5))
    assert (await texts_of(backend))[-1] == "after"
    request = SessionPageRequest(Window(10))
    page = (await backend.page_sessions([request], EVERYTHING))[request]
    assert isinstance(page, Page)
    assert [session.message_count for session in page.items] == [4, 2]
    assert (root / "index.db").exists()
    await other.close()


async def test_an_index_of_another_version_is_made_anew(backend: FilesBackend, root: Path) -> None:
    records = await records_of(backend)
    await backend.close()
    change_index(root, "PRAGMA user_version = 99")
    again, _ = await open_files(root)
    assert await records_of(again) == records
    await again.close()


async def test_an_index_that_is_no_database_is_made_anew(backend: FilesBackend, root: Path) -> None:
    records = await records_of(backend)
    await backend.close()
    (root / "index.db").write_bytes(b"gibberish" * 1000)
    again, _ = await open_files(root)
    assert await records_of(again) == records
    await again.close()


async def test_changed_words_in_the_index_are_not_served(backend: FilesBackend, root: Path) -> None:
    await done(backend, changed(RenameSession("True title"), at=5))
    session = await session_of(backend)
    change_index(root, "UPDATE sessions SET state = CAST(replace(state, 'True', 'Fake') AS BLOB)")
    assert await session_of(backend) == session
    assert await errors_found(backend) == []


async def test_a_row_that_was_lost_is_found_and_mended(backend: FilesBackend, root: Path) -> None:
    records = await records_of(backend)
    change_index(root, f"DELETE FROM messages WHERE session_id = '{FIRST}' AND sequence = 2")
    assert [finding.code for finding in await errors_found(backend)] == ["COUNTERS_DRIFTED"]
    assert await backend.repair() == 1
    assert await records_of(backend) == records
    assert await errors_found(backend) == []


async def test_a_file_that_vanished_is_told_and_its_key_stays_taken_until_then(
    backend: FilesBackend, root: Path
) -> None:
    [file] = root.glob(f"s/*/alice@key-{FIRST}.jsonl")
    kept = file.read_bytes()
    file.unlink()
    found = (await backend.get_sessions([FIRST, SECOND], EVERYTHING)).get(FIRST)
    assert isinstance(found, StoreUnavailable)
    [finding] = await errors_found(backend)
    assert (finding.code, file.name in finding.message) == ("FILE_UNREADABLE", True)
    await backend.close()
    file.write_bytes(kept)
    again, _ = await open_files(root)
    assert await texts_of(again) == ["m1", "m2", "m3"]
    assert await errors_found(again) == []
    await again.close()


async def test_a_long_write_ahead_log_is_brought_in(
    backend: FilesBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "_CHECKPOINT_BYTES", 1)
    await done(backend, changed(AddMessages((said("m4"),)), at=5))
    assert (root / "index.db-wal").stat().st_size == 0
    assert len(await texts_of(backend)) == 4
