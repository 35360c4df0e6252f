"""A backend for Scrollback that keeps a store in one archive file, written anew at each change.

It answers from memory, so it suits stores of a few megabytes that one program at a time works on
and that a person wants to read, to compare and to keep under version control.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from app.backends.memory.backend import MemoryBackend
from app.backends.memory.store import MemoryStore
from app.backends.protocol import EVERYTHING, Backend, Capabilities, Scope, Support
from app.formats.archive import encode_archive, read_archive
from app.formats.atomic_file import write_atomically
from app.formats.lines import SourceUnreadable
from app.model.changes import Commit, Committed
from app.model.errors import ScrollbackError, StoreUnusable, UnknownOutcome
from app.model.records import Damage, Loaded, Record


async def open_snapshot(url: str, *, migrate: bool) -> Backend:
    """Opens the store of `snapshot:///relative.jsonl` or `snapshot:////absolute/path.jsonl`.

    A missing file is made, with `migrate` False it is refused. Raises `StoreUnusable`.
    """
    path = Path(unquote(urlsplit(url).path.removeprefix("/")))
    backend = SnapshotBackend(path)
    if await asyncio.to_thread(path.exists):
        await backend.read()
    elif not migrate:
        raise StoreUnusable(f"there is no store at {path}")
    elif not await asyncio.to_thread(path.parent.is_dir):
        raise StoreUnusable(f"the folder {path.parent} does not exist: create it first")
    else:
        await backend.write()
    return backend


class SnapshotBackend(MemoryBackend):
    """The memory backend, with its content in a file after every change."""

    def __init__(self, path: Path) -> None:
        super().__init__(MemoryStore())
        self._path = path
        self._turn = asyncio.Lock()

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            name="snapshot",
            durable=Support(True),
            several_processes=Support(False, "each would write over what the other has written"),
        )

    async def read(self) -> None:
        """Takes the file in. Raises `StoreUnusable` where anything in it is damaged."""
        damages: list[Damage] = []
        try:
            await super().load(read_archive(self._path, on_damage=damages.append))
        except SourceUnreadable as error:
            raise StoreUnusable(str(error)) from error
        if damages:
            raise StoreUnusable(f"{self._path} is damaged in line {damages[0].line}: restore it")

    async def write(self) -> None:
        """Replaces the file by what the store holds now. Raises `UnknownOutcome`."""
        records = self.export(EVERYTHING)
        try:
            await write_atomically(
                self._path, encode_archive(records, on_record=lambda record: None)
            )
        except OSError as error:
            raise UnknownOutcome(
                f"the change is not in {self._path.name} yet ({error.strerror}); "
                "retry with the same idempotency key"
            ) from error

    async def commit(
        self, commits: Sequence[Commit], scope: Scope
    ) -> Sequence[Committed | ScrollbackError]:
        async with self._turn:
            outcomes = await super().commit(commits, scope)
            if any(isinstance(outcome, Committed) for outcome in outcomes):
                await self.write()
        return outcomes

    async def load(self, records: AsyncIterator[Record], *, replace: bool = False) -> Loaded:
        async with self._turn:
            loaded = await super().load(records, replace=replace)
            await self.write()
        return loaded

    async def repair(self) -> int:
        async with self._turn:
            mended = await super().repair()
            await self.write()
        return mended

    async def close(self) -> None:
        async with self._turn:
            await super().close()
