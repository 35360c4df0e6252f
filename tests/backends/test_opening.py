"""Opening a store: what is made, what is refused, and that a refusal leaves the file as it was."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from app.backends.open import Migrated, migrate_store, open_backend
from app.backends.sql import migrations
from app.backends.sql.backend import SqlBackend
from app.backends.sql.dialects.sqlite import APPLICATION_ID
from app.backends.sql.dialects.sqlite_search import search_metadata
from app.backends.sql.tables import metadata
from app.model.errors import StoreUnusable
from tests.backends.conftest import SESSION, create


def pragma(path: Path, name: str) -> object:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]
    finally:
        connection.close()


async def test_the_migrations_make_the_tables_that_the_program_uses(
    store: SqlBackend,
) -> None:
    def differences(connection: Connection) -> list[object]:
        # SQLite's full-text index keeps its own tables, named after it.
        options = {
            "compare_type": True,
            "include_name": lambda name, *_: not (name or "").startswith("search_index"),
        }
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, [metadata, search_metadata]))

    for engine in store.engines[2:]:
        with engine.connect() as connection:
            assert differences(connection) == []


async def test_the_newest_version_is_the_one_named_in_the_code() -> None:
    assert max(migrations.known_versions()) == migrations.HEAD


async def test_a_new_store_is_marked_and_keeps_a_write_ahead_log(
    store: SqlBackend, path: Path
) -> None:
    assert pragma(path, "application_id") == APPLICATION_ID
    assert pragma(path, "journal_mode") == "wal"


async def test_migrating_says_what_there_was_and_is(path: Path) -> None:
    first = await migrate_store(f"sqlite:///{path}")
    second = await migrate_store(f"sqlite:///{path}")
    assert first == Migrated(None, migrations.HEAD)
    assert second == Migrated(migrations.HEAD, migrations.HEAD)


async def test_without_leave_to_migrate_a_missing_store_is_not_made(path: Path) -> None:
    with pytest.raises(StoreUnusable, match=r"there is no store at .*store\.db"):
        await open_backend(f"sqlite:///{path}", migrate=False)
    assert list(path.parent.iterdir()) == []


async def test_without_leave_to_migrate_an_empty_file_is_refused(path: Path) -> None:
    path.touch()
    with pytest.raises(StoreUnusable, match="scrollback migrate"):
        await open_backend(f"sqlite:///{path}", migrate=False)
    assert path.read_bytes() == b""


async def test_a_store_of_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    await migrate_store(f"sqlite:///{path}")
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreUnusable, match=r"9999.*newer Scrollback.*upgrade"):
        await open_backend(f"sqlite:///{path}")
    assert path.read_bytes() == before


async def test_a_database_of_something_else_is_refused_and_left_alone(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE recipes (name)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreUnusable, match="something else"):
        await open_backend(f"sqlite:///{path}")
    assert path.read_bytes() == before


async def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_text("dear diary, " * 100)
    before = path.read_bytes()
    with pytest.raises(StoreUnusable, match="not an SQLite database"):
        await open_backend(f"sqlite:///{path}")
    assert path.read_bytes() == before


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match=r"folder .*nowhere does not exist"):
        await open_backend(f"sqlite:///{tmp_path}/nowhere/store.db")


async def test_a_folder_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="is a folder"):
        await open_backend(f"sqlite:///{tmp_path}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreUnusable, match="can't be written"):
        await open_backend(f"sqlite:///{tmp_path}/store.db")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mongodb://localhost/x", "no backend for .mongodb"),
        ("store.db", "no backend for"),
        ("sqlite://", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite://host/file.db", "names no file"),
        ("sqlite:///a.db?mode=ro", "names no file"),
    ],
)
async def test_a_url_that_names_no_store_is_refused(url: str, message: str) -> None:
    with pytest.raises(StoreUnusable, match=message):
        await open_backend(url)


async def test_a_percent_in_a_url_is_an_escape(tmp_path: Path) -> None:
    backend = await open_backend(f"sqlite:///{tmp_path}/my%20store%25.db")
    await backend.close()
    assert (tmp_path / "my store%.db").exists()


async def test_closing_leaves_one_file_and_its_gate(store: SqlBackend, path: Path) -> None:
    await create(store, "hello", session=SESSION)
    await store.close()
    assert sorted(file.name for file in path.parent.iterdir()) == ["store.db", "store.db.gate"]
