"""From a store's URL to its backend. The only place that imports backends.

A backend is chosen by the scheme of the URL, and imported only then: those of this package are
named here, others come with packages that have an entry point of the group `scrollback.backends`
(docs/backends.md).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from app.backends.protocol import Backend, Migrated
from app.model.errors import StoreUnusable

__all__ = ["GROUP", "Migrated", "known_schemes", "migrate_store", "open_backend"]

GROUP = "scrollback.backends"
"""The group of entry points: name is a scheme, object is `async (url, *, migrate) -> Backend`."""

Opened: TypeAlias = tuple[Backend, Migrated | None]


@dataclass(frozen=True, slots=True)
class _Scheme:
    """How the stores of a scheme are opened, and which extra of this package brings its driver."""

    open: Callable[[str, bool], Awaitable[Opened]]
    extra: str | None = None


async def open_backend(url: str, *, migrate: bool = True) -> Backend:
    """Opens the store of a URL, such as `sqlite:///relative.db` or `sqlite:////absolute.db`.

    A missing store is created, an older one brought to the newest version (with `migrate` False
    both are refused). Raises `StoreUnusable`, saying what to do.
    """
    backend, _ = await _open(url, migrate=migrate)
    return backend


async def migrate_store(url: str) -> Migrated | None:
    """Brings the store of a URL to the newest version, and answers which it had and has.

    None for a backend whose stores have no versions. Raises `StoreUnusable`.
    """
    backend, migrated = await _open(url, migrate=True)
    await backend.close()
    return migrated


def known_schemes() -> list[str]:
    """Returns the schemes of the URLs that can be opened here, by name."""
    return sorted({*_SCHEMES, *(point.name for point in entry_points(group=GROUP))})


async def _open(url: str, *, migrate: bool) -> Opened:
    name = urlsplit(url).scheme
    scheme = _SCHEMES.get(name)
    if scheme is None:
        return await _open_foreign(url, name, migrate=migrate)
    try:
        return await scheme.open(url, migrate)
    except ModuleNotFoundError as error:
        if scheme.extra is None:
            raise
        raise StoreUnusable(
            f"a store at {name}:// needs the package {error.name}, which is not installed: "
            f'run `pip install ".[{scheme.extra}]"` in the folder of the project'
        ) from error


async def _open_foreign(url: str, name: str, *, migrate: bool) -> Opened:
    points = list(entry_points(group=GROUP, name=name)) if name else []
    if not points:
        raise StoreUnusable(
            f"no backend for {name or url!r}: a store is named by a URL such as "
            f"sqlite:///scrollback.db, and the schemes known here are {', '.join(known_schemes())}"
        )
    if len(points) > 1:
        raise StoreUnusable(
            f"the packages {' and '.join(sorted(_package(point) for point in points))} both open "
            f"stores at {name}://: uninstall all but one"
        )
    backend: Backend = await _load(points[0])(url, migrate=migrate)
    return backend, None


def _load(point: EntryPoint) -> Callable[..., Awaitable[Backend]]:
    try:
        opener: Callable[..., Awaitable[Backend]] = point.load()
    except (ImportError, AttributeError) as error:
        raise StoreUnusable(
            f"the package {_package(point)}, which opens stores at {point.name}://, can't be "
            f"loaded ({error}): reinstall or upgrade it"
        ) from error
    return opener


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.module


async def _open_sqlite(url: str, migrate: bool) -> Opened:
    from app.backends.sql.open import open_sqlite

    path, single_process = _sqlite_place(url)
    return await open_sqlite(path, migrate=migrate, single_process=single_process)


async def _open_files(url: str, migrate: bool) -> Opened:
    from app.backends.files.open import open_url

    return await open_url(url, migrate=migrate)


def _sqlite_place(url: str) -> tuple[Path, bool]:
    parts = urlsplit(url)
    alone = parts.query == "single-process=1"
    known = alone or parts.query in ("", "single-process=0")
    if parts.netloc or not known or parts.fragment or len(parts.path) < 2:
        raise StoreUnusable(
            f"{url} names no file: write sqlite:///relative.db or sqlite:////absolute/path.db, "
            "with nothing behind it but ?single-process=1"
        )
    return Path(unquote(parts.path[1:])), alone


async def _open_memory(url: str, migrate: bool) -> Opened:
    from app.backends.memory.open import open_memory

    return open_memory(url), None


async def _open_postgresql(url: str, migrate: bool) -> Opened:
    from app.backends.sql.dialects.postgresql import PostgresqlDialect
    from app.backends.sql.open_server import open_server, parse_server_url

    return await open_server(PostgresqlDialect(), parse_server_url(url), migrate=migrate)


async def _open_mysql(url: str, migrate: bool) -> Opened:
    from app.backends.sql.dialects.mysql import recognize
    from app.backends.sql.open_server import open_server, parse_server_url

    parsed = parse_server_url(url)
    return await open_server(await recognize(parsed), parsed, migrate=migrate)


_SCHEMES: Mapping[str, _Scheme] = {
    "file": _Scheme(_open_files),
    "memory": _Scheme(_open_memory),
    "sqlite": _Scheme(_open_sqlite),
    "postgresql": _Scheme(_open_postgresql, extra="postgresql"),
    "mysql": _Scheme(_open_mysql, extra="mysql"),
    "mariadb": _Scheme(_open_mysql, extra="mysql"),
}
