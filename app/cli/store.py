"""Opening the store that a command works on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.backends.open import open_backend
from app.backends.protocol import Backend
from app.config import shown_url
from app.model.errors import StoreUnavailable, UnknownOutcome


@asynccontextmanager
async def opened(url: str, *, migrate: bool, sole: bool = True) -> AsyncIterator[Backend]:
    """Opens the store of a URL inside the block. Raises `StoreUnusable`.

    With `migrate` a missing store is made and an older one brought forward; a command that only
    reads leaves both as they are. What fails in the block is said of this store, unless it is not
    the `sole` one of the command.
    """
    backend = await open_backend(url, migrate=migrate)
    try:
        yield backend
    except (StoreUnavailable, UnknownOutcome) as error:
        if not sole:
            raise
        raise type(error)(f"{shown_url(url)}: {error.message}") from error
    finally:
        await backend.close()
