"""Opening a store in memory, by a name that is known in this process alone."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from app.backends.memory.backend import MemoryBackend
from app.backends.memory.store import MemoryStore
from app.model.errors import StoreUnusable

_stores: dict[str, MemoryStore] = {}


def open_memory(url: str) -> MemoryBackend:
    """Opens the store of `memory://NAME`, where NAME may be empty.

    It is made when it is first opened, and lasts as long as the process, so that one part of a
    program finds what another has put there. Raises `StoreUnusable` for a URL of another form.
    """
    parts = urlsplit(url)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise StoreUnusable(f"{url} names no store in memory: write memory:// or memory://name")
    return MemoryBackend(_stores.setdefault(unquote(parts.netloc), MemoryStore()))
