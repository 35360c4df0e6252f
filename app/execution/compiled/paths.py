"""Response paths as plain tuples, which cost a fifth of graphql-core's `Path` to make.

A path is `(the path before, key, name of the object type that has the field)`; None is the path
of the response's data. The type's name is None for a place in a list.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from graphql.pyutils import Path

LinkedPath: TypeAlias = "tuple[Any, str | int, str | None]"


def keys_of(path: LinkedPath) -> list[str | int]:
    """Returns the keys of a path from the root."""
    keys: list[str | int] = []
    rest: LinkedPath | None = path
    while rest is not None:
        keys.append(rest[1])
        rest = rest[0]
    keys.reverse()
    return keys


def field_path(path: LinkedPath) -> LinkedPath:
    """Returns the path of the field that a place in a list, or in a list of lists, belongs to."""
    while path[2] is None:
        path = path[0]
    return path


class LazyPath(Path):
    """A linked path seen as graphql-core's, for the resolvers that ask for theirs.

    A `Path` is a tuple of three as well, so the two are equal and of one hash. What comes before
    is turned into a path when it is asked for, because most ask for the end of theirs.
    """

    __slots__ = ()

    @property
    def prev(self) -> Path | None:
        """The path before the key, None at the root."""
        before: Any = tuple.__getitem__(self, 0)
        return None if before is None else tuple.__new__(LazyPath, before)

    def __iter__(self) -> Iterator[Any]:
        return iter((self.prev, self.key, self.typename))

    def __getitem__(self, index: Any) -> Any:
        return (self.prev, self.key, self.typename)[index]

    def __repr__(self) -> str:
        return f"Path(prev={self.prev!r}, key={self.key!r}, typename={self.typename!r})"


def lazy_path(path: LinkedPath) -> Path:
    """Returns a linked path in graphql-core's form."""
    return tuple.__new__(LazyPath, path)
