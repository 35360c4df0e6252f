"""A fault at each system call of each operation: all or nothing, told truly, and gone on from."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.backends.conformance.samples import errors_found, records_of
from app.model.errors import ScrollbackError, StoreUnavailable, StoreUnusable, UnknownOutcome
from app.model.records import Record
from tests.torture import FULL, Progress
from tests.torture.conftest import memory_folder
from tests.torture.faulty_system import Fault, FaultySystem, Killed
from tests.torture.story import STORY, opened, sessions_in, states

ACTS = list(STORY)
STEP = 1 if FULL else 4
"""Without full scale every fourth call is made to fail, others for each kind of fault."""


@pytest.fixture(scope="module")
def story() -> Iterator[Path]:
    """The folder of the store as it is before each act, by number."""
    with memory_folder() as root:
        asyncio.run(tell(root))
        yield root


async def tell(root: Path) -> None:
    """Tells the story, and keeps the store as it was before each act."""
    backend = await opened(root / "now")
    for at, act in enumerate(STORY.values()):
        await backend.close()
        shutil.copytree(root / "now", root / str(at))
        backend = await opened(root / "now")
        await act(backend)
    await backend.close()


@pytest.fixture(scope="module")
def expected() -> list[list[Record]]:
    return asyncio.run(states())


async def act_with_fault(
    root: Path, act: int, fault: Fault | None, at: int
) -> tuple[Exception | None, list[str]]:
    """Carries one act out with a fault at one call; returns what came of it, and the calls."""
    system = FaultySystem()
    backend = await opened(root, system)
    system.arm(fault, at)
    failure: Exception | None = None
    try:
        await STORY[ACTS[act]](backend)
    except (Killed, OSError, ScrollbackError) as error:
        failure = error
    system.counting = False
    with contextlib.suppress(Killed):
        await backend.close()
    return failure, system.calls


async def hold_to_story(
    root: Path, act: int, failure: Exception | None, expected: list[list[Record]]
) -> None:
    """The store is as before the act or as after it, whichever was told, and goes on from there."""
    backend = await opened(root)
    try:
        found = await records_of(backend)
        if failure is None:
            assert found == expected[act + 1], "what was acknowledged is not there"
        elif isinstance(failure, StoreUnavailable) and not isinstance(failure, UnknownOutcome):
            before = sessions_in(expected[act])
            assert sessions_in(found) == before, "something was done that was said not to be"
        else:
            known = [sessions_in(state) for state in expected[act : act + 2]]
            assert sessions_in(found) in known, "half of it was done"
        assert await errors_found(backend) == []
        for following in ACTS[act:]:
            await STORY[following](backend)
        assert await records_of(backend) == expected[-1]
        assert await errors_found(backend) == []
        assert await backend.repair() == 0
    finally:
        await backend.close()


def faults_of(calls: list[str]) -> Iterator[tuple[Fault, int]]:
    """Yields every fault at every call; without full scale, those that a call is likely to have."""
    for at, name in enumerate(calls):
        for number, fault in enumerate((Fault.KILL, Fault.KILL_AFTER, Fault.EIO)):
            if (at + number) % STEP == 0:
                yield fault, at
        if FULL or name in ("write", "open", "mkdir", "link", "rename"):
            yield Fault.ENOSPC, at
        if name == "write":
            yield Fault.SHORT_WRITE, at


@pytest.mark.parametrize("act", range(len(ACTS)), ids=ACTS)
async def test_a_fault_at_any_call_leaves_all_or_nothing(
    story: Path,
    expected: list[list[Record]],
    act: int,
    memory_path: Path,
    progress: Progress,
) -> None:
    shutil.copytree(story / str(act), memory_path / "dry")
    failure, calls = await act_with_fault(memory_path / "dry", act, None, 0)
    assert failure is None
    assert len(calls) > 3
    faults = list(faults_of(calls))
    for number, (fault, at) in enumerate(faults, start=1):
        root = memory_path / f"{at}-{fault}"
        shutil.copytree(story / str(act), root)
        failure, _ = await act_with_fault(root, act, fault, at)
        try:
            await hold_to_story(root, act, failure, expected)
        except (AssertionError, ScrollbackError) as error:
            raise AssertionError(f"{fault} at call {at}, {calls[at]}: {failure!r}") from error
        shutil.rmtree(root)
        progress(f"{number} of {len(faults)} faults at {len(calls)} calls")


@pytest.mark.parametrize("index", ["kept", "deleted"])
async def test_a_fault_while_recovering_is_recovered_from(
    story: Path,
    expected: list[list[Record]],
    index: str,
    memory_path: Path,
    progress: Progress,
) -> None:
    act = ACTS.index("delete a message")
    broken = memory_path / "broken"
    shutil.copytree(story / str(act), broken)
    [file] = broken.glob("s/*/*.jsonl")
    file.write_bytes(file.read_bytes() + b'{"role": "user", "content": "torn')
    (file.parent / f"{file.stem}.new").write_bytes(b"half")
    if index == "deleted":
        for path in broken.glob("index.db*"):
            path.unlink()
    shutil.copytree(broken, memory_path / "dry")
    system = FaultySystem()
    system.arm(None, 0)
    await (await opened(memory_path / "dry", system)).close()
    calls = system.calls
    faults = [
        (fault, at)
        for fault, at in faults_of(calls)
        if FULL or calls[at] not in ("stat", "open", "fstat", "listdir")
    ]
    for number, (fault, at) in enumerate(faults, start=1):
        root = memory_path / f"{at}-{fault}"
        shutil.copytree(broken, root)
        system = FaultySystem()
        system.arm(fault, at)
        with contextlib.suppress(Killed, StoreUnusable, ScrollbackError):
            backend = await opened(root, system)
            system.counting = False
            await backend.close()
        try:
            await hold_to_story(root, act, StoreUnavailable("torn"), expected)
        except (AssertionError, ScrollbackError) as error:
            raise AssertionError(f"{fault} at call {at}, {calls[at]}") from error
        shutil.rmtree(root)
        progress(f"{number} of {len(faults)} faults at {len(calls)} calls")
    quarantined = list((memory_path / "dry" / "quarantine").iterdir())
    assert [path.read_bytes() for path in quarantined] == [b'{"role": "user", "content": "torn']


async def test_after_a_failed_sync_the_file_takes_no_more_writes_until_reopened(
    story: Path, expected: list[list[Record]], memory_path: Path
) -> None:
    act = ACTS.index("append")
    shutil.copytree(story / str(act), memory_path / "dry")
    _, calls = await act_with_fault(memory_path / "dry", act, None, 0)
    root = memory_path / "store"
    shutil.copytree(story / str(act), root)
    system = FaultySystem()
    backend = await opened(root, system)
    system.arm(Fault.EIO, calls.index("fdatasync"))
    with pytest.raises(UnknownOutcome):
        await STORY["append"](backend)
    syncs = system.calls.count("fdatasync")
    with pytest.raises(StoreUnavailable):
        await STORY["append"](backend)
    assert system.calls.count("fdatasync") == syncs == 1
    assert await records_of(backend) == expected[act]
    await backend.close()
    await hold_to_story(root, act, UnknownOutcome("sync"), expected)
