"""Services whose store answers each question once and from memory ever after."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from app.backends.open import open_backend
from app.backends.protocol import Backend
from app.live.brokers.in_process import InProcessBroker
from app.live.feeds import Feeds
from app.resolvers.services import Services
from app.rules.limits import Limits
from benchmarks.dataset import records


class RememberedBackend:
    """A backend in front of another: the same method asked for the same keys, the same answer.

    A commit is made once and then answered as it was, whatever it holds.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._answers: dict[tuple[Any, ...], Any] = {}

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        ask = getattr(self._backend, name)

        async def answer(asked: Any, *others: Any) -> Any:
            question = (name,) if name == "commit" else (name, *asked)
            if question not in self._answers:
                self._answers[question] = await ask(asked, *others)
            return self._answers[question]

        return answer


@asynccontextmanager
async def remembered_services() -> AsyncIterator[Services]:
    """Opens a small store in a temporary folder and remembers what it answers."""
    with tempfile.TemporaryDirectory(prefix="scrollback-benchmarks-") as folder:
        backend = await open_backend(f"sqlite:///{Path(folder) / 'store.db'}")
        await backend.load(records(30, 3_000, 200))
        broker = InProcessBroker()
        try:
            remembered = cast("Backend", RememberedBackend(backend))
            yield Services(remembered, broker, Feeds(backend, broker), Limits())
        finally:
            await broker.close()
            await backend.close()
