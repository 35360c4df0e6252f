"""The same random programs give the same answers on files and on the reference model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from app.backends.conformance.samples import errors_found, records_of, stream
from app.backends.files import compaction
from app.backends.files.compaction import Compaction
from app.backends.files.open import open_files
from app.model.records import Loaded
from app.model.session import Session
from tests.conformance.programs import Reopen, Step, programs
from tests.conformance.reference import ReferenceBackend
from tests.conformance.test_programs import answers
from tests.torture.conftest import memory_folder


async def run(program: Sequence[Step], folder: Path) -> None:
    """Runs a program on both; at every reopening the files are compacted or lose their index."""
    reference = ReferenceBackend()
    root = folder / "store"
    backend, _ = await open_files(root)
    try:
        for at, step in enumerate(program):
            if isinstance(step, Reopen):
                if at % 2:
                    compacting = Compaction(backend.store, backend.recovery)
                    with backend.store.index.reading() as connection:
                        names = [n for (n,) in connection.execute("SELECT name FROM sessions")]
                    for name in names:
                        with backend.store.index.sharing(), backend.store.locks.stripes([name]):
                            compacting.compact(name)
                await backend.close()
                if at % 3:
                    for file in root.glob("index.db*"):
                        file.unlink()
                backend, _ = await open_files(root)
            else:
                assert await answers(backend, step) == await answers(reference, step), step
        records = await records_of(reference)
        assert await records_of(backend) == records
        assert await errors_found(backend) == []
        assert await backend.repair() == 0
        again = await backend.load(stream(records))
        assert again == Loaded(unchanged=sum(isinstance(one, Session) for one in records))
        other, _ = await open_files(folder / "other")
        await other.load(stream(records))
        assert await records_of(other) == records
        assert await errors_found(other) == []
        await other.close()
    finally:
        await backend.close()


@settings(
    max_examples=25,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(program=programs)
def test_random_programs_agree_with_the_reference(program: Sequence[Step]) -> None:
    with memory_folder() as folder:
        asyncio.run(run(program, folder))


@settings(
    max_examples=25,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(program=programs)
def test_they_agree_where_files_are_sealed_and_compacted_all_the_time(
    program: Sequence[Step],
) -> None:
    with pytest.MonkeyPatch.context() as patch, memory_folder() as folder:
        patch.setattr(compaction, "ROLL_BYTES", 3000)
        patch.setattr(compaction, "WORTH_BYTES", 300)
        asyncio.run(run(program, folder))
