"""A process that opens a store, asks for the newest sessions, and prints how long that took.

Run as `python -m benchmarks.storage.starter URL`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from app.backends.open import open_backend
from app.backends.protocol import EVERYTHING, Backend
from app.model.paging import Page, SessionPageRequest, Window, session_bound


async def start(url: str) -> None:
    """Opens, asks, and prints."""
    began, processor = time.perf_counter(), time.process_time()
    backend = await open_backend(url, migrate=False)
    request = SessionPageRequest(Window(20))
    page = (await backend.page_sessions([request], EVERYTHING))[request]
    seconds, processor = time.perf_counter() - began, time.process_time() - processor
    if not isinstance(page, Page) or not page.items:
        raise SystemExit("the store has no sessions")
    count = await count_sessions(backend)
    await backend.close()
    print(json.dumps({"seconds": seconds, "cpu": processor, "sessions": count}))


async def count_sessions(backend: Backend) -> int:
    """Answers how many sessions the store has, read page by page."""
    count, after = 0, None
    while True:
        request = SessionPageRequest(Window(5_000, after=after), fields=frozenset())
        page = (await backend.page_sessions([request], EVERYTHING))[request]
        if not isinstance(page, Page):
            raise page
        count += len(page.items)
        if not page.has_next:
            return count
        after = session_bound(page.items[-1], request.order)


if __name__ == "__main__":
    asyncio.run(start(sys.argv[1]))
