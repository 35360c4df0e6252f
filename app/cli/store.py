"""Opening the store that a command works on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.backends.open import open_backend
from app.backends.protocol import Backend


@asynccontextmanager
async def opened(url: str, *, migrate: bool) -> AsyncIterator[Backend]:
    """Opens the store of a URL inside the block. Raises `StoreUnusable`.

    With `migrate` a missing store is made and an older one brought forward; a command that only
    reads leaves both as they are.
    """
    backend = await open_backend(url, migrate=migrate)
    try:
        yield backend
    finally:
        await backend.close()
