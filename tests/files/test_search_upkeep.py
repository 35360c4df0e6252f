"""What is searched follows the files, and a check says where it does not."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from app.backends.conformance.samples import (
    FIRST,
    SECOND,
    changed,
    created,
    done,
    errors_found,
    moment,
    said,
)
from app.backends.conformance.search_samples import sessions_found, texts_found
from app.backends.files import texts
from app.backends.files.backend import FilesBackend
from app.backends.files.open import open_files
from app.model.changes import AddMessages, DeleteSession, EditMessage
from app.model.errors import StoreUnavailable
from app.model.identifiers import Sequence
from app.model.parts import TextPart
from tests.files.index_files import change_index, delete_index


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
async def backend(root: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FilesBackend]:
    """A store of which all but the last session's texts are settled."""
    monkeypatch.setattr(texts, "FRESH_TEXTS", 1)
    backend, _ = await open_files(root)
    first = created(messages=[said("alpha one"), said("alpha two")], title="alpha title")
    await done(backend, first)
    await backend.close()
    monkeypatch.undo()
    backend, _ = await open_files(root)
    await done(backend, created(SECOND, messages=[said("alpha three")], at=1))
    yield backend
    await backend.close()


ALL = ["alpha one", "alpha two", "alpha three"]


def count_in_index(root: Path, table: str) -> int:
    with closing(sqlite3.connect(root / "index.db")) as connection:
        [(count,)] = connection.execute(f"SELECT count(*) FROM {table}")
    return int(count)


async def test_texts_are_fresh_until_there_are_many(backend: FilesBackend, root: Path) -> None:
    counts = [count_in_index(root, table) for table in ("texts", "fresh_texts", "stale_texts")]
    assert counts == [3, 1, 0]
    assert await texts_found(backend, "alpha") == ALL


async def test_without_an_index_everything_is_found_again(
    backend: FilesBackend, root: Path
) -> None:
    await done(backend, changed(EditMessage(Sequence(2), parts=(TextPart("beta"),)), at=2))
    delete_index(root)
    assert await texts_found(backend, "alpha") == ["alpha one", "alpha three"]
    assert await sessions_found(backend, "title") == [FIRST]
    assert count_in_index(root, "fresh_texts") == 0
    assert await errors_found(backend) == []


async def test_what_another_program_appended_is_found_when_the_store_is_opened(
    backend: FilesBackend, root: Path
) -> None:
    before = {path: path.read_bytes() for path in root.glob("index.db*")}
    await done(backend, changed(AddMessages((said("alpha four"),)), at=3))
    await backend.close()
    delete_index(root)
    for path, content in before.items():
        path.write_bytes(content)
    again, _ = await open_files(root)
    assert await texts_found(again, "alpha") == [*ALL, "alpha four"]
    assert await errors_found(again) == []
    await again.close()


async def test_of_a_deleted_session_no_text_remains(backend: FilesBackend, root: Path) -> None:
    await done(backend, changed(DeleteSession(), at=2))
    await backend.close()
    assert count_in_index(root, "stale_texts") == 0
    with closing(sqlite3.connect(root / "index.db")) as connection:
        found = connection.execute("SELECT rowid FROM text_grams WHERE text_grams MATCH 'two'")
        assert found.fetchall() == []
        kept = connection.execute("SELECT DISTINCT session_id FROM texts")
        assert kept.fetchall() == [(SECOND,)]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE texts SET normal = 'beta' WHERE sequence = 2",
        "DELETE FROM texts WHERE sequence = 2",
        "DELETE FROM texts WHERE sequence = 0",
        "INSERT INTO fresh_texts SELECT session_id, 9, owner_id, role, created_at, 'beta' "
        "FROM texts WHERE sequence = 1",
    ],
)
async def test_texts_that_are_not_what_the_files_say_are_told_and_mended(
    backend: FilesBackend, root: Path, damage: str
) -> None:
    change_index(root, damage)
    [finding] = await errors_found(backend)
    assert finding.code == "SEARCH_DRIFTED"
    assert str(FIRST) in finding.message
    assert "doctor --repair" in finding.remedy
    assert await backend.repair() == 1
    assert await errors_found(backend) == []
    assert await texts_found(backend, "alpha") == ALL
    assert await sessions_found(backend, "title") == [FIRST]


@pytest.mark.parametrize(
    "damage",
    [
        "INSERT INTO text_grams (text_grams) VALUES ('delete-all')",
        "DELETE FROM text_runs",
        f"UPDATE texts SET created_at = '{moment(-9)}' WHERE id = 2",
    ],
)
async def test_an_index_by_grams_that_misses_texts_is_told_and_made_anew(
    backend: FilesBackend, root: Path, damage: str
) -> None:
    change_index(root, damage)
    assert {one.code for one in await errors_found(backend)} == {"SEARCH_DRIFTED"}
    await backend.repair()
    assert await errors_found(backend) == []
    assert await texts_found(backend, "alpha") == ALL
    assert await sessions_found(backend, "title") == [FIRST]


async def test_a_message_that_damage_took_is_found_no_more(
    backend: FilesBackend, root: Path
) -> None:
    [file] = root.glob(f"s/*/alice@key-{FIRST}.jsonl")
    file.write_bytes(file.read_bytes().replace(b"alpha one", b"alpha 0ne"))
    assert await texts_found(backend, "alpha") == ["alpha two", "alpha three"]
    assert await texts_found(backend, "one") == []


async def test_a_damaged_index_by_grams_is_made_anew(backend: FilesBackend, root: Path) -> None:
    change_index(root, "UPDATE text_grams_data SET block = x'ff' WHERE id > 10")
    with pytest.raises(StoreUnavailable, match="damaged and is made anew"):
        await texts_found(backend, "two")
    assert await texts_found(backend, "alpha") == ALL
    assert await errors_found(backend) == []


async def test_what_a_vanished_file_said_is_found_no_more(
    backend: FilesBackend, root: Path
) -> None:
    [file] = root.glob(f"s/*/alice@key-{FIRST}.jsonl")
    file.unlink()
    await backend.close()
    again, _ = await open_files(root)
    assert await texts_found(again, "alpha") == ["alpha three"]
    assert await sessions_found(again, "alpha") == [SECOND]
    await again.close()
