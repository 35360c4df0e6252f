"""A bounded cache of documents that a flood of new ones cannot empty."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

V = TypeVar("V")

PROBATION_SHARE = 0.2
"""The part of the space that documents seen once may take from those seen again."""


class DocumentCache(Generic[V]):
    """Keeps values by source text, the least recently used leaving first.

    A segmented LRU (Karedla, Love and Wherry, 1994): a new document is on probation and moves to
    the protected part when it is asked for again, so that any number of documents used once only
    drive out each other. Bounded by count and by the characters of the sources.
    """

    def __init__(self, *, entries: int, characters: int, entry_characters: int) -> None:
        self._entry_characters = entry_characters
        self._probation: _Segment[V] = _Segment(
            max(1, int(entries * PROBATION_SHARE)),
            max(entry_characters, int(characters * PROBATION_SHARE)),
        )
        self._protected: _Segment[V] = _Segment(
            max(0, entries - self._probation.entries),
            max(0, characters - self._probation.characters),
        )

    def __len__(self) -> int:
        return len(self._probation.values) + len(self._protected.values)

    @property
    def characters(self) -> int:
        """The characters of all sources that are kept."""
        return self._probation.held + self._protected.held

    def get(self, source: str) -> V | None:
        """Returns what is kept for a source, or None, and marks it as used."""
        protected = self._protected.values
        value = protected.get(source)
        if value is not None:
            protected.move_to_end(source)
            return value
        value = self._probation.take(source)
        if value is not None:
            for demoted, kept in self._protected.put(source, value):
                self._probation.put(demoted, kept)
        return value

    def put(self, source: str, value: V) -> None:
        """Keeps the value for a source that `get` did not find, unless the source is too long."""
        if len(source) <= self._entry_characters:
            self._probation.put(source, value)


class _Segment(Generic[V]):
    def __init__(self, entries: int, characters: int) -> None:
        self.entries = entries
        self.characters = characters
        self.held = 0
        self.values: OrderedDict[str, V] = OrderedDict()

    def take(self, source: str) -> V | None:
        value = self.values.pop(source, None)
        if value is not None:
            self.held -= len(source)
        return value

    def put(self, source: str, value: V) -> list[tuple[str, V]]:
        """Adds an entry and returns those that had to leave, the least recently used first."""
        self.take(source)
        self.values[source] = value
        self.held += len(source)
        left: list[tuple[str, V]] = []
        while len(self.values) > self.entries or self.held > self.characters:
            oldest, dropped = self.values.popitem(last=False)
            self.held -= len(oldest)
            left.append((oldest, dropped))
        return left
