"""What the promise of a durable acknowledgement rests on, and what keeps writers apart."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from app.backends.sql.backend import SqlBackend
from app.backends.sql.dialects.gate import WriterGate
from app.model.errors import StoreUnavailable

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
