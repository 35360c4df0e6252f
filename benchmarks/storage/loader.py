"""A process that makes a store with one conversation, and prints how many seconds that took.

Run as `python -m benchmarks.storage.loader URL MESSAGES`.
"""

from __future__ import annotations

import sys
import time

import uvloop

from app.backends.open import open_backend
from benchmarks.storage.conversations import conversations


async def load(url: str, messages: int) -> None:
    """Makes, loads, and prints."""
    backend = await open_backend(url)
    try:
        began = time.perf_counter()
        await backend.load(conversations(1, messages))
        print(time.perf_counter() - began)
    finally:
        await backend.close()


if __name__ == "__main__":
    uvloop.run(load(sys.argv[1], int(sys.argv[2])))
