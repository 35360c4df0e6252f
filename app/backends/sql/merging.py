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
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from app.model.errors import StoreUnavailable

K = TypeVar("K")
V = TypeVar("V")

MOST_ROWS = 512
"""How many rows a merged statement may read: others wait for all of them."""

_ROW_BYTES = 8_192
"""A larger row counts as several, so that a merged answer is 4 MiB at most."""

Read: TypeAlias = Callable[[list[K]], Awaitable[Mapping[K, V]]]
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
    ) -> Mapping[K, V]:
        """Returns what `read` answers for these keys, asked alone or together with others.

        All reads of one `kind` have to read alike; each key may give as many as `rows` rows. `keys`
        has each once. Raises what `read` raises for these keys alone.
        """
        batch = self._gathering.get(kind)
        mine = None if batch is None else batch.take(keys, MOST_ROWS // rows)
        if batch is not None and mine is not None:
            return await _follow(batch, keys, mine, read)
        batch = self._gathering[kind] = _Batch()
        mine = batch.take(keys, max(len(keys), MOST_ROWS)) or []
        try:
            try:
                await asyncio.sleep(0)
            finally:
                if self._gathering.get(kind) is batch:
                    del self._gathering[kind]
            if not batch.followers:
                return await read(list(keys))
            try:
                found = await read(list(batch.asked))
            except StoreUnavailable as error:
                # For everybody: all of them asking again is the last thing that a store needs.
                batch.fail(error)
                raise
            except Exception:  # noqa: BLE001 - raised for whom it concerns, when each asks alone
                batch.part()
                return await read(list(keys))
            batch.answer(found)
            return _taken_out(keys, mine)
        finally:
            batch.part()


class _Asked:
    """A key of a batch: how many still ask for it, and what was found."""

    __slots__ = ("askers", "found", "value")

    def __init__(self) -> None:
        self.askers = 0
        self.found = False
        self.value: Any = None


class _Batch:
    """Keys that are read together, and who besides the first asked for them."""

    __slots__ = ("asked", "followers")

    def __init__(self) -> None:
        self.asked: dict[Any, _Asked] = {}
        self.followers: list[asyncio.Future[bool]] = []
        """Told whether what they asked for was read."""

    def take(self, keys: Sequence[Any], most: int) -> list[_Asked] | None:
        """Takes keys along, unless there would then be more than `most`: then returns None."""
        # Keys are long: each is looked up as seldom as can be.
        known = [self.asked.get(key) for key in keys]
        new = known.count(None)
        if new and len(self.asked) + new > most:
            return None
        taken = []
        for key, one in zip(keys, known, strict=True):
            if one is None:
                one = self.asked[key] = _Asked()
            one.askers += 1
            taken.append(one)
        return taken

    def answer(self, found: Mapping[Any, Any]) -> None:
        """Hands everybody what was found."""
        for key, one in self.asked.items():
            if key in found:
                one.found, one.value = True, found[key]
        for follower in self.followers:
            if not follower.done():
                follower.set_result(True)

    def fail(self, error: Exception) -> None:
        """Tells everybody of an error that is nobody's own."""
        for follower in self.followers:
            if not follower.done():
                follower.set_exception(error)

    def part(self) -> None:
        """Has everybody who has no answer ask alone."""
        for follower in self.followers:
            if not follower.done():
                follower.set_result(False)


async def _follow(
    batch: _Batch, keys: Sequence[K], mine: list[_Asked], read: Read[K, V]
) -> Mapping[K, V]:
    follower: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    batch.followers.append(follower)
    return _taken_out(keys, mine) if await follower else await read(list(keys))


def _taken_out(keys: Sequence[K], mine: list[_Asked]) -> dict[K, Any]:
    """Returns what was found for these keys, and lets go of what nobody else asks for.

    Whoever is answered first so frees what it was given before the next one goes on.
    """
    taken = {}
    for key, one in zip(keys, mine, strict=True):
        one.askers -= 1
        if one.found:
            taken[key] = one.value
            if not one.askers:
                one.value = None
    return taken
