"""Whether a page takes longer in a long conversation than in a short one.

Both stores are asked in turn, page by page, so that whatever else the machine does meets both.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

from app.backends.open import open_backend
from app.backends.protocol import EVERYTHING, Backend
from app.model.identifiers import Sequence
from app.model.message import MessageScope
from app.model.paging import MessagePageRequest, Page, Take, Window
from benchmarks.dataset import session_id_of
from benchmarks.load import percentile
from benchmarks.storage.stores import Make

PAGE = 50
WARM_UP = 20


@dataclass(frozen=True, slots=True)
class Compared:
    """Times of one sort of page in milliseconds, in the short conversation and in the long one."""

    what: str
    small: tuple[float, float]
    large: tuple[float, float]

    @property
    def ratio(self) -> float:
        """How many times as long 95 of 100 pages take at most in the long conversation."""
        return self.large[1] / self.small[1]


@dataclass(frozen=True, slots=True)
class Filled:
    """A store with one conversation, and how fast it was loaded, in messages a second."""

    url: str
    messages: int
    rate: float


@dataclass(frozen=True, slots=True)
class _Asked:
    """An open store and what has been asked of it."""

    backend: Backend
    walk: Iterator[Sequence | None]
    times: list[float]


async def fill(fresh: Make, messages: int) -> Filled:
    """Makes a store with one conversation of so many messages, in a process of its own."""
    url = await fresh(f"pages_{messages}")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.storage.loader", url, str(messages)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.terminate()
        raise
    if process.returncode:
        raise RuntimeError("a store could not be loaded: what the loader wrote to stderr says why")
    return Filled(url, messages, messages / float(output))


async def compare_pages(small: Filled, large: Filled, pages: int) -> list[Compared]:
    """Times the newest page, and pages one after another from the middle back."""
    compared = []
    async with AsyncExitStack() as opened:
        backends = []
        for store in (small, large):
            backends.append(await open_backend(store.url, migrate=False))
            opened.push_async_callback(backends[-1].close)
        for what, walk in (
            ("newest page", _always_newest),
            ("deep scroll-back", _back_from_the_middle),
        ):
            sides = [
                _Asked(backend, walk(store.messages), [])
                for backend, store in zip(backends, (small, large), strict=True)
            ]
            gc.collect()
            for number in range(WARM_UP + pages):
                for side in sides:
                    taken = await _time_page(side.backend, next(side.walk))
                    if number >= WARM_UP:
                        side.times.append(taken)
            compared.append(Compared(what, *(_quantiles(side.times) for side in sides)))
    return compared


def _quantiles(times: list[float]) -> tuple[float, float]:
    ordered = sorted(times)
    return 1_000 * percentile(ordered, 50), 1_000 * percentile(ordered, 95)


def _always_newest(messages: int) -> Iterator[Sequence | None]:
    while True:
        yield None


def _back_from_the_middle(messages: int) -> Iterator[Sequence | None]:
    while True:
        for before in range(messages // 2, PAGE, -PAGE):
            yield Sequence(before)


async def _time_page(backend: Backend, before: Sequence | None) -> float:
    window = Window(PAGE, Take.LAST, before=before)
    request = MessagePageRequest(session_id_of(0), window, MessageScope.ALL)
    started = time.perf_counter()
    found = await backend.page_messages([request], EVERYTHING)
    taken = time.perf_counter() - started
    page = found[request]
    if not isinstance(page, Page) or len(page.items) != PAGE:
        raise RuntimeError(f"a page of {PAGE} messages was expected, not {page!r:.100}")
    return taken
