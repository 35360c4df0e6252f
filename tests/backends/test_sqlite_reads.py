"""SQLite is read in threads: long statements hold up no short ones, nor outlive who asked."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from app.backends.sql.dialects.sqlite_engines import connect_reader
from app.backends.sql.dialects.sqlite_reads import SqliteReads

ENDLESS = text(
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
)
ONE = text("SELECT :number")


@pytest.fixture
async def reads(tmp_path: Path) -> AsyncIterator[SqliteReads]:
    path = tmp_path / "some.db"
    sqlite3.connect(path).close()
    engine = create_engine("sqlite://")
    reads = SqliteReads(engine, partial(connect_reader, path))
    yield reads
    await reads.close()
    engine.dispose()


async def test_many_that_ask_at_once_each_get_their_own_rows(reads: SqliteReads) -> None:
    asked = [reads.fetch((ONE, {"number": number})) for number in range(500)]
    assert await asyncio.gather(*asked) == [[(number,)] for number in range(500)]


async def test_short_statements_do_not_wait_for_long_ones(reads: SqliteReads) -> None:
    endless = reads.fetch((ENDLESS, {}), long=True)
    async with asyncio.timeout(20):
        assert await reads.fetch((ONE, {"number": 1})) == [(1,)]
    endless.cancel()


async def test_a_statement_nobody_waits_for_is_broken_off(reads: SqliteReads) -> None:
    endless = [reads.fetch((ENDLESS, {}), long=True) for _ in range(3)]
    await asyncio.sleep(0.05)
    for one in endless:
        one.cancel()
    async with asyncio.timeout(20):
        assert await reads.fetch((ONE, {"number": 2}), long=True) == [(2,)]


async def test_an_error_is_the_askers_alone(reads: SqliteReads) -> None:
    wrong = reads.fetch((text("SELECT nothing"), {}))
    right = reads.fetch((ONE, {"number": 3}))
    with pytest.raises(sqlite3.OperationalError, match="nothing"):
        await wrong
    assert await right == [(3,)]


async def test_a_reader_writes_nothing(reads: SqliteReads) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await reads.fetch((text("CREATE TABLE t (x)"), {}))


async def test_closing_twice_is_harmless(reads: SqliteReads) -> None:
    await reads.fetch((ONE, {"number": 4}))
    await reads.close()
    await reads.close()
