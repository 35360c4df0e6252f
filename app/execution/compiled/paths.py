"""Response paths as plain tuples, which cost a fifth of graphql-core's `Path` to make.

A path is `(the path before, key, name of the object type that has the field)`; None is the path
of the response's data. The type's name is None for a place in a list.
"""

from __future__ import annotations

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


class CorePaths:
    """graphql-core's paths for the resolvers of one run that ask for theirs."""

    __slots__ = ("_made",)

    def __init__(self) -> None:
        # By identity: hashing a tuple of tuples walks all of it. The tuple is kept with its path,
        # so that no other takes its identity.
        self._made: dict[int, tuple[LinkedPath, Path]] = {}

    def path(self, path: LinkedPath) -> Path:
        """Returns the path in graphql-core's form; paths of fields are made once."""
        made = self._made.get(id(path))
        if made is not None:
            return made[1]
        before, key, typename = path
        core = Path(self.path(before) if before is not None else None, key, typename)
        if typename is not None:
            self._made[id(path)] = (path, core)
        return core
