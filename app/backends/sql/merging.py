"""Reads that begin at the same time and ask for the same kind of thing, as one statement.

A statement costs a way to the database and back whatever it reads, and most requests of a busy
server ask for what others ask for as well: sessions by id, pages of messages. So a read waits for
one turn of the event loop, which it would spend in a queue anyway, and takes along whatever else is
asked in that turn.

Only reads that have not begun are merged. Each so sees everything that was acknowledged before it
was asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, TypeAlias, TypeVar

from app.model.errors import StoreUnavailable

K = TypeVar("K")
V = TypeVar("V")

MOST_ROWS = 512
"""How many rows a merged statement may read: others wait for all of them."""

_ROW_BYTES = 8_192
"""A larger row counts as several, so that a merged answer is 4 MiB at most."""

Read: TypeAlias = Callable[[list[K]], Awaitable[dict[K, V]]]
"""Reads by key. A key that is not in the answer is not there, or not in scope."""


class RowWeight:
    """How many rows one counts as: by the largest of late, which is slowly forgotten."""

    def __init__(self) -> None:
        self.rows = 1

    def note(self, size: int, rows: int) -> None:
        """Takes notice of an answer of `size` bytes."""
        average = -(-size // (max(rows, 1) * _ROW_BYTES))
        self.rows = max(1, average, self.rows - 1)


class MergedReads:
    """The reads of one store that have not begun."""

    def __init__(self) -> None:
        self._gathering: dict[Hashable, _Batch] = {}

    async def load(
        self, kind: Hashable, keys: Sequence[K], read: Read[K, V], *, rows: int = 1
    ) -> dict[K, V]:
        """Returns what `read` answers for these keys, asked alone or together with others.

        All reads of one `kind` have to read alike; each key may give as many as `rows` rows. `keys`
        has each once.
        Raises what `read` raises for these keys alone.
        """
        batch = self._gathering.get(kind)
        if batch is not None and batch.take(keys, MOST_ROWS // rows):
            return await _follow(batch, keys, read)
        batch = self._gathering[kind] = _Batch(keys)
        try:
            try:
                await asyncio.sleep(0)
            finally:
                if self._gathering.get(kind) is batch:
                    del self._gathering[kind]
            if not batch.followers:
                return await read(list(keys))
            try:
                found = await read(list(batch.keys))
            except StoreUnavailable as error:
                # For everybody: all of them asking again is the last thing that a store needs.
                batch.fail(error)
                raise
            except Exception:  # noqa: BLE001 - raised for whom it concerns, when each asks alone
                batch.part()
                return await read(list(keys))
            batch.answer(found)
            return batch.take_out(found, keys)
        finally:
            batch.part()


class _Batch:
    """Keys that are read together, and who besides the first asked for them."""

    __slots__ = ("followers", "keys")

    def __init__(self, keys: Sequence[Any]) -> None:
        self.keys: dict[Any, int] = dict.fromkeys(keys, 1)
        """And how many still ask for each."""
        self.followers: list[asyncio.Future[dict[Any, Any] | None]] = []

    def take(self, keys: Sequence[Any], most: int) -> bool:
        """Takes keys along, unless there would then be more than `most`."""
        new = [key for key in keys if key not in self.keys]
        if new and len(self.keys) + len(new) > most:
            return False
        for key in keys:
            self.keys[key] = self.keys.get(key, 0) + 1
        return True

    def take_out(self, found: dict[K, V], keys: Sequence[K]) -> dict[K, V]:
        """Returns what was found for these keys, and lets go of what nobody else asks for.

        Whoever is answered first so frees what it was given before the next one goes on.
        """
        taken = {}
        for key in keys:
            self.keys[key] -= 1
            if key in found:
                taken[key] = found[key] if self.keys[key] else found.pop(key)
        return taken

    def answer(self, found: dict[Any, Any]) -> None:
        """Hands everybody what was found."""
        for follower in self.followers:
            if not follower.done():
                follower.set_result(found)

    def fail(self, error: Exception) -> None:
        """Tells everybody of an error that is nobody's own."""
        for follower in self.followers:
            if not follower.done():
                follower.set_exception(error)

    def part(self) -> None:
        """Has everybody who has no answer ask alone."""
        for follower in self.followers:
            if not follower.done():
                follower.set_result(None)


async def _follow(batch: _Batch, keys: Sequence[K], read: Read[K, V]) -> dict[K, V]:
    follower: asyncio.Future[dict[Any, Any] | None] = asyncio.get_running_loop().create_future()
    batch.followers.append(follower)
    found = await follower
    return await read(list(keys)) if found is None else batch.take_out(found, keys)
