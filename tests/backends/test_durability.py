"""What the promise of a durable acknowledgement rests on, and what keeps writers apart."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import event

from app.backends.protocol import EVERYTHING
from app.backends.sql.backend import SqlBackend
from app.backends.sql.dialects.gate import WriterGate
from app.backends.sql.open import open_sqlite
from app.model.changes import AddMessages, Commit
from app.model.errors import StoreUnavailable
from app.model.session import Session
from tests.backends.conftest import AT, SESSION, commit, create, said

FULL = 2


def test_every_writing_connection_waits_for_the_disk(store: SqlBackend) -> None:
    with store.engines[2].connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


async def test_a_long_write_waits_for_the_disk_too(store: SqlBackend) -> None:
    async with store._writer.transaction() as connection:
        result = await connection.exec_driver_sql("PRAGMA synchronous")
        assert result.scalar() == FULL


async def test_commits_that_come_one_by_one_but_at_once_wait_for_the_disk_together(
    store: SqlBackend,
) -> None:
    await create(store)
    transactions = 0

    def count(_connection: object) -> None:
        nonlocal transactions
        transactions += 1

    async def append(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await commit(store, AddMessages((said(str(turns)),)))

    event.listen(store.engines[2], "begin", count)
    await asyncio.gather(*[append(turns) for turns in range(12)])

    assert transactions == 1


async def test_two_gates_of_one_store_exclude_each_other(tmp_path: Path) -> None:
    first, second = WriterGate(tmp_path / "gate"), WriterGate(tmp_path / "gate")
    entered = asyncio.Event()

    async def enter() -> None:
        async with second.hold():
            entered.set()

    async with first.hold():
        waiting = asyncio.create_task(enter())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(entered.wait()), 0.1)
    await asyncio.wait_for(waiting, 5)
    assert entered.is_set()
    first.close()
    second.close()


async def test_who_waits_too_long_at_the_gate_is_told(tmp_path: Path) -> None:
    first = WriterGate(tmp_path / "gate")
    second = WriterGate(tmp_path / "gate", patience=0.05)
    async with first.hold():
        with pytest.raises(StoreUnavailable, match="another process has been writing"):
            async with second.hold():
                pytest.fail("the gate let two in")
    first.close()
    second.close()


async def test_within_a_process_one_task_at_a_time_is_inside(tmp_path: Path) -> None:
    gate = WriterGate(tmp_path / "gate")
    inside = 0
    most = 0

    async def enter() -> None:
        nonlocal inside, most
        async with gate.hold():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(enter() for _ in range(10)))
    assert most == 1
    gate.close()


@pytest.mark.parametrize("replaced", [False, True])
async def test_nothing_is_acknowledged_into_a_file_that_is_gone(
    store: SqlBackend, path: Path, replaced: bool
) -> None:
    await create(store, "kept")
    for name in ("", "-wal", "-shm"):
        path.with_name(path.name + name).unlink()
    if replaced:
        path.touch()
    added = Commit(SESSION, (AddMessages((said("lost"),)),), AT)
    with pytest.raises(StoreUnavailable, match="removed or replaced"):
        await store.commit([added], EVERYTHING)
    readiness = await store.ready()
    assert not readiness.ready
    assert "removed or replaced" in readiness.detail
    assert path.exists() is replaced
    path.unlink(missing_ok=True)


async def test_a_gate_whose_file_was_deleted_still_keeps_others_out(tmp_path: Path) -> None:
    first = WriterGate(tmp_path / "gate")
    second = WriterGate(tmp_path / "gate", patience=0.05)
    async with first.hold():
        pass
    (tmp_path / "gate").unlink()
    async with first.hold():
        with pytest.raises(StoreUnavailable, match="another process has been writing"):
            async with second.hold():
                pytest.fail("the gate let two in")
    first.close()
    second.close()


async def fill(store: SqlBackend, acknowledged: list[object]) -> None:
    """Appends 5 MB, noting every acknowledgement."""
    large = Commit(SESSION, (AddMessages((said("x" * 50_000),)),), AT)
    for _ in range(100):
        acknowledged += await store.commit([large], EVERYTHING)


async def test_a_full_disk_is_told_as_one_that_changed_nothing(tmp_path: Path) -> None:
    mounted = tmp_path / "small"
    mounted.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1536k", "tmpfs", str(mounted)]
    try:
        subprocess.run(mount, check=True, capture_output=True)  # noqa: ASYNC221
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a full disk needs the right to mount one")
    try:
        store, _ = await open_sqlite(mounted / "store.db", migrate=True)
        await create(store)
        acknowledged: list[object] = []
        with pytest.raises(StoreUnavailable, match="disk is full: nothing was changed"):
            await fill(store, acknowledged)
        session = (await store.get_sessions([SESSION], EVERYTHING))[SESSION]
        assert isinstance(session, Session)
        assert 0 < session.message_count == len(acknowledged)
        await store.close()
    finally:
        subprocess.run(["umount", str(mounted)], check=True)  # noqa: ASYNC221
