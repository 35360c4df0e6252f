"""What the query of a server's URL may ask of us: `?pool=16&lock-timeout=5`."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sqlalchemy import URL

from app.model.errors import StoreUnusable

_MOST = 1_000


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """`pool` connections at most read, and as many write; the others are whole seconds.

    `connect_timeout` is for the server to let us in, `pool_timeout` for a connection of the pool
    to become free, `lock_timeout` for another writer of the same session.
    """

    pool: int = 8
    pool_timeout: int = 30
    connect_timeout: int = 10
    lock_timeout: int = 10


OPTIONS = tuple(field.name.replace("_", "-") for field in fields(ServerOptions))


def options_of(url: URL) -> ServerOptions:
    """Returns what a URL asks for. Raises `StoreUnusable` for a value that makes no sense."""
    values: dict[str, int] = {}
    for option in OPTIONS:
        given = url.query.get(option)
        if given is None:
            continue
        if not isinstance(given, str) or not given.isdecimal() or not 0 < int(given) <= _MOST:
            raise StoreUnusable(
                f"{option}={given} is none that the store's URL can ask for: "
                f"write a whole number from 1 to {_MOST:,}"
            )
        values[option.replace("-", "_")] = int(given)
    return ServerOptions(**values)


def driver_options(
    url: URL, place: str, known: tuple[str, ...]
) -> dict[str, str | tuple[str, ...]]:
    """Returns what is left of a URL's query for the driver, which knows these options.

    Raises `StoreUnusable` for any other.
    """
    if unknown := set(url.query) - {*known, *OPTIONS}:
        *most, last = sorted({*known, *OPTIONS})
        raise StoreUnusable(
            f"{place} can't be asked for {', '.join(sorted(unknown))}: "
            f"the options of its URL are {', '.join(most)} and {last}"
        )
    return {name: value for name, value in url.query.items() if name in known}
