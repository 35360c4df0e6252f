"""Faults injected by the kernel's own door: nothing of the backend's seam is trusted here."""

from __future__ import annotations

import asyncio
import shutil
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from app.backends.conformance.samples import FIRST, created, done, errors_found, messages_of
from tests.torture.story import opened

APPEND = """
import asyncio, sys
from pathlib import Path
from app.backends.conformance.samples import changed, said
from app.backends.files.open import open_files
from app.backends.protocol import EVERYTHING
from app.model.changes import AddMessages, Committed

async def main():
    backend, _ = await open_files(Path(sys.argv[1]))
    for number in range(6):
        commit = changed(AddMessages((said(f"m{number}"),)), at=number)
        [outcome] = await backend.commit([commit], EVERYTHING)
        print(f"m{number}", type(outcome).__name__, flush=True)

asyncio.run(main())
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize(
    "injection",
    [
        "fdatasync:error=EIO:when=3",
        "fdatasync:signal=KILL:when=4",
        "fdatasync:error=ENOSPC:when=2+2",
        "ftruncate:signal=KILL:when=1",
        "fsync:error=EIO:when=1",
    ],
)
async def test_what_strace_injects_loses_nothing(memory_path: Path, injection: str) -> None:
    root = memory_path / "store"
    backend = await opened(root)
    await done(backend, created(FIRST))
    await backend.close()
    call = injection.partition(":")[0]
    process = await asyncio.create_subprocess_exec(
        "strace", "-f", "-qq", "-o", str(memory_path / "trace"), "-e", f"trace={call}",
        "-e", f"inject={injection}", sys.executable, "-c", APPEND, str(root),
        stdout=PIPE, stderr=PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    out, error = await asyncio.wait_for(process.communicate(), 120)
    if b"ptrace" in error.lower() and not out:
        pytest.skip("this machine does not let strace trace")
    # Between the outcomes stands what the store has logged.
    words = [line.split() for line in out.decode().splitlines()]
    told = {line[0]: line[1] for line in words if len(line) == 2 and line[0].startswith("m")}
    backend = await opened(root)
    assert await errors_found(backend) == []
    stored = [message.text for message in await messages_of(backend)]
    acknowledged = [text for text, outcome in told.items() if outcome == "Committed"]
    refused = [text for text, outcome in told.items() if outcome == "StoreUnavailable"]
    assert [text for text in stored if text in acknowledged] == acknowledged
    assert not set(refused) & set(stored)
    assert len(set(stored)) == len(stored)
    await backend.close()
