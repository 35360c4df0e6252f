"""The stores that are measured: each kind of backend at each durability, made anew and removed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from benchmarks.storage.databases import databases


class Make(Protocol):
    """Makes an empty store and returns its URL."""

    async def __call__(self, name: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of store. `pages` says that it is the one of its backend whose reading is measured."""

    backend: str
    durability: str
    query: str = ""
    pages: bool = True
    processes: bool = True

    @property
    def name(self) -> str:
        """What the kind is called in a table."""
        return f"{self.backend}, {self.durability}"


KINDS = (
    Kind("sqlite", "on disk"),
    Kind("postgresql", "on disk"),
    Kind("mariadb", "on disk"),
    Kind("files", "always", "?durability=always"),
    Kind("files", "interval=100", "?durability=interval=100", pages=False),
    Kind("files", "os", "?durability=os", pages=False),
    Kind("memory", "none", pages=False, processes=False),
)
BACKENDS = tuple(dict.fromkeys(kind.backend for kind in KINDS))


@dataclass(frozen=True, slots=True)
class Places:
    """Where stores are made."""

    folder: Path
    postgresql: str
    mariadb: str


@asynccontextmanager
async def making(kind: Kind, places: Places) -> AsyncIterator[Make]:
    """Gives what makes stores of a kind; they are removed at the end.

    Raises `Unreachable` at the first store of a server that does not answer.
    """
    if kind.backend in ("postgresql", "mariadb"):
        server = places.postgresql if kind.backend == "postgresql" else places.mariadb
        async with databases(server) as made:
            yield made.fresh
        return
    with TemporaryDirectory(prefix="scrollback-storage-", dir=places.folder) as folder:
        root = Path(folder)

        async def fresh(name: str) -> str:
            path = root / name
            if kind.backend == "sqlite":
                return f"sqlite:///{path}.db"
            if kind.backend == "memory":
                return f"memory://{root.name}-{name}"
            return f"file:///{path}{kind.query}"

        yield fresh
