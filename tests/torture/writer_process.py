"""A process that appends until it is killed, and tells each acknowledgement on its output.

python -m tests.torture.writer_process FOLDER NAME
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

from app.backends.conformance.samples import FIRST, SECOND, attempt, changed, said
from app.backends.files.open import open_files
from app.backends.protocol import EVERYTHING
from app.model.changes import AddMessages, ArchiveMessages, Committed
from app.model.errors import Conflict, NotFound


async def write(root: Path, name: str) -> None:
    """Appends to two sessions in turn; now and then archives, which rolls the files."""
    backend, _ = await open_files(root)
    print("ready", flush=True)
    for number in itertools.count():
        session_id = (FIRST, SECOND)[number % 2]
        text = f"{name}-{number}"
        commit = changed(
            AddMessages((said(text),)),
            session_id=session_id,
            idempotency=attempt(text),
            at=number % 80_000,
        )
        commits = [commit]
        if number % 50 == 49:
            commits.append(changed(ArchiveMessages(1 + number // 2), session_id=session_id, at=1))  # type: ignore[arg-type]
        for outcome in await backend.commit(commits, EVERYTHING):
            if isinstance(outcome, Committed) and outcome.sequences:
                print(session_id, outcome.sequences[0], text, flush=True)
            elif not isinstance(outcome, Committed | NotFound | Conflict):
                raise outcome


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), sys.argv[2]))
