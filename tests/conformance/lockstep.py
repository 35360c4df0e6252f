"""The same store on several backends, which are asked the same and must answer the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import TypeVar

from app.backends.conformance import OpenNamed
from app.backends.files.backend import FilesBackend
from app.backends.protocol import Backend
from app.model.errors import ScrollbackError
from tests.conformance.written import Written, written
from tests.torture.story import compact

T = TypeVar("T")


class Upkeep(StrEnum):
    """What happens to files while a store is closed; other backends are only opened again."""

    NONE = "nothing"
    COMPACT = "they are compacted"
    LOSE_INDEX = "their index is deleted"


class Lockstep:
    """A handle on each backend's store, by the name of the backend."""

    def __init__(self, openers: Mapping[str, OpenNamed], store: str = "store") -> None:
        self._openers = openers
        self._store = store
        self.backends: dict[str, Backend] = {}

    async def open(self) -> None:
        """Opens the stores; they are empty when they are first opened."""
        for name, opener in self._openers.items():
            self.backends[name] = await opener(self._store)

    async def close(self) -> None:
        """Closes the stores."""
        for backend in self.backends.values():
            await backend.close()

    async def reopen(self, upkeep: Upkeep) -> None:
        """Closes the stores and opens them again."""
        for backend in self.backends.values():
            if upkeep is Upkeep.COMPACT:
                await compact(backend)
            await backend.close()
            if upkeep is Upkeep.LOSE_INDEX and isinstance(backend, FilesBackend):
                for file in backend.store.layout.root.glob("index.db*"):
                    file.unlink()
        await self.open()

    async def ask(
        self,
        call: Callable[[Backend], Awaitable[T]],
        write: Callable[[T], Written],
    ) -> T | None:
        """Calls every backend; returns what they answer, None where they all refuse it alike."""
        answers = await asyncio.gather(
            *(call(backend) for backend in self.backends.values()), return_exceptions=True
        )
        expected: Written | None = None
        for name, answer in zip(self.backends, answers, strict=True):
            if isinstance(answer, BaseException) and not isinstance(answer, ScrollbackError):
                raise answer
            told = written(answer) if isinstance(answer, ScrollbackError) else write(answer)
            if expected is None:
                expected = told
            assert told == expected, f"{name} answers otherwise: {difference(told, expected)}"
        [answer, *_] = answers
        return None if isinstance(answer, BaseException) else answer


def difference(told: object, expected: object) -> str:
    """Returns the first place at which two answers differ, in the words of both."""
    if isinstance(told, list) and isinstance(expected, list) and len(told) == len(expected):
        for mine, theirs in zip(told, expected, strict=True):
            if mine != theirs:
                return difference(mine, theirs)
    return f"{told!r}, where others answer {expected!r}"
