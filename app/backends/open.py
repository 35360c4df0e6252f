"""From a store's URL to its backend. The only place that imports backends."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from app.backends.protocol import Backend
from app.backends.sql.open import Migrated, open_sqlite
from app.model.errors import StoreUnusable

__all__ = ["Migrated", "migrate_store", "open_backend"]


async def open_backend(url: str, *, migrate: bool = True) -> Backend:
    """Opens the store of a URL, `sqlite:///relative.db` or `sqlite:////absolute.db`.

    A missing store is created, an older one brought to the newest version (with `migrate` False
    both are refused). Raises `StoreUnusable`, saying what to do.
    """
    backend, _ = await open_sqlite(_sqlite_path(url), migrate=migrate)
    return backend


async def migrate_store(url: str) -> Migrated:
    """Brings the store of a URL to the newest version, and answers which it had and has."""
    backend, migrated = await open_sqlite(_sqlite_path(url), migrate=True)
    await backend.close()
    return migrated


def _sqlite_path(url: str) -> Path:
    parts = urlsplit(url)
    if parts.scheme != "sqlite":
        raise StoreUnusable(
            f"no backend for {parts.scheme or url!r}: a store is named by a URL such as "
            "sqlite:///scrollback.db"
        )
    if parts.netloc or parts.query or parts.fragment or len(parts.path) < 2:
        raise StoreUnusable(
            f"{url} names no file: write sqlite:///relative.db or sqlite:////absolute/path.db"
        )
    return Path(unquote(parts.path[1:]))
