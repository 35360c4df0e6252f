"""`check` finds what is planted, and nothing in a sound store; `repair` sets counters right."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.backends.protocol import EVERYTHING, Severity
from app.backends.sql.backend import SqlBackend
from app.backends.sql.open import open_sqlite
from app.model.changes import ArchiveMessages, DeleteMessage
from app.model.identifiers import Sequence, SessionId
from app.model.records import Damage, Record
from tests.backends.conftest import SESSION, commit, create

OTHER = SessionId("6" * 32)


async def findings(store: SqlBackend) -> dict[str, str]:
    """Returns what a check finds, by code, apart from what it says of this SQLite."""
    found = {finding.code: finding.message async for finding in store.check()}
    found.pop("SQLITE_VERSION", None)
    return found


def tamper(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA foreign_keys = OFF")
    changed = connection.execute(statement).rowcount
    connection.commit()
    connection.close()
    assert changed > 0


@pytest.fixture(autouse=True)
async def two_sessions(store: SqlBackend) -> None:
    await create(store, "one", "two", "three")
    await create(store, "four", session=OTHER)
    await commit(store, ArchiveMessages(Sequence(1)), DeleteMessage(Sequence(2)))


async def test_a_sound_store_has_no_findings(store: SqlBackend) -> None:
    assert await findings(store) == {}


@pytest.mark.parametrize(
    "drift",
    [
        "message_count = message_count + 1",
        "archived_message_count = 0",
        "preview = 'something else'",
        "preview = NULL",
        "last_message_at = '2030-01-01T00:00:00.000000Z'",
        "last_activity_at = '2030-01-01T00:00:00.000000Z'",
    ],
)
async def test_a_drifted_counter_is_found_and_repaired(
    store: SqlBackend, path: Path, drift: str
) -> None:
    before = await store.get_sessions([SESSION, OTHER], EVERYTHING)
    tamper(path, f"UPDATE sessions SET {drift} WHERE id = '{SESSION}'")
    found = await findings(store)
    assert list(found) == ["COUNTERS_DRIFTED"]
    assert SESSION in found["COUNTERS_DRIFTED"]
    assert OTHER not in found["COUNTERS_DRIFTED"]
    assert await store.repair() == 1
    assert await findings(store) == {}
    assert await store.get_sessions([SESSION, OTHER], EVERYTHING) == before


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        (f"DELETE FROM events WHERE session_id = '{SESSION}' AND revision = 2", "LOG_GAP"),
        (f"DELETE FROM events WHERE session_id = '{SESSION}' AND revision = 6", "LOG_GAP"),
        (f"UPDATE sessions SET revision = 9 WHERE id = '{SESSION}'", "LOG_GAP"),
        (f"UPDATE sessions SET last_sequence = 2 WHERE id = '{SESSION}'", "SEQUENCE_BEHIND"),
        (f"UPDATE sessions SET archived_through = 3 WHERE id = '{SESSION}'", "ARCHIVE_BORDER"),
        (f"DELETE FROM sessions WHERE id = '{OTHER}'", "ORPHANS"),
    ],
)
async def test_a_broken_rule_is_found(
    store: SqlBackend, path: Path, statement: str, code: str
) -> None:
    tamper(path, statement)
    assert list(await findings(store)) == [code]


async def test_a_damaged_file_is_found(store: SqlBackend, path: Path) -> None:
    await store.close()
    raw = bytearray(path.read_bytes())
    connection = sqlite3.connect(path)
    page_size = connection.execute("PRAGMA page_size").fetchone()[0]
    root = connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'ix_sessions_title'"
    ).fetchone()[0]
    connection.close()
    start = (root - 1) * page_size
    raw[start + 8 : start + 200] = b"\xff" * 192
    path.write_bytes(bytes(raw))
    reopened, _ = await open_sqlite(path, migrate=True)
    try:
        assert "DATABASE_DAMAGED" in await findings(reopened)
    finally:
        await reopened.close()


async def test_kept_damage_is_told_and_is_no_error(store: SqlBackend) -> None:
    async def damages() -> AsyncIterator[Record]:
        yield Damage("file.jsonl", 3, "not JSON", b"\x00{")

    await store.load(damages())
    [finding] = [found async for found in store.check() if found.code == "DAMAGE_KEPT"]
    assert finding.severity is Severity.INFO
    assert finding.message.startswith("1 damaged record")
