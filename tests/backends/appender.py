"""A process that appends to a store for ever, and prints what has been acknowledged.

Run as `python -m tests.backends.appender URL NAME`. Each line is a JSON list: the text of a
message and the number that it was given, written once the commit was answered.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys

from app.backends.conformance.samples import attempt, changed, done, said
from app.backends.open import open_backend
from app.model.changes import AddMessages

WRITERS = 4


async def append(url: str, name: str) -> None:
    """Appends from several tasks at once."""
    backend = await open_backend(url)

    async def write(task: int) -> None:
        for turn in itertools.count():
            texts = [f"{name}:{task}:{turn}:{part}" for part in range(1 + turn % 3)]
            adding = changed(
                AddMessages(tuple(said(text) for text in texts)), idempotency=attempt(texts[0])
            )
            committed = await done(backend, adding)
            lines = [
                json.dumps([text, number]) + "\n"
                for text, number in zip(texts, committed.sequences, strict=True)
            ]
            os.write(sys.stdout.fileno(), "".join(lines).encode())

    await asyncio.gather(*(write(task) for task in range(WRITERS)))


if __name__ == "__main__":
    asyncio.run(append(*sys.argv[1:]))
