"""What can be told of a value by its type alone, so that it need not be asked of each value."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import CoroutineType, GeneratorType, MappingProxyType, NoneType
from typing import Any, Final

from graphql import Undefined

PLAIN: Final = 0
"""Neither null nor an error, and nothing to be awaited."""
NULL: Final = 1
FAULT: Final = 2
AWAITABLE: Final = 3
UNSURE: Final = 4
"""Each value has to be asked: attributes of this type are computed, or it is a generator."""

KEPT_TYPES = 2_000
"""Types are kept alive by the table, so a program that makes types without end empties it."""


class Kinds(dict[type, int]):
    """The kind of each type met so far; asking for another one finds out."""

    def __missing__(self, type_: type) -> int:
        if len(self) >= KEPT_TYPES:
            self.clear()
        kind = self[type_] = _kind(type_)
        return kind


_PLAINLY_READ: Final = frozenset(
    (
        *(str, bytes, bytearray, int, float, complex, bool, list, tuple, dict, set, frozenset),
        *(range, slice, memoryview, BaseException, deque, OrderedDict, defaultdict, Decimal),
        *(date, time, datetime, timedelta, MappingProxyType),
    )
)
"""Types written in C that bring their own way to read attributes, which is the usual one."""


def _kind(type_: type[Any]) -> int:
    if issubclass(type_, CoroutineType):
        return AWAITABLE
    if issubclass(type_, (GeneratorType, type)) or _computes_attributes(type_):
        return UNSURE
    if hasattr(type_, "__await__"):
        return AWAITABLE
    if issubclass(type_, Exception):
        return FAULT
    return NULL if type_ is NoneType or type_ is type(Undefined) else PLAIN


def _computes_attributes(type_: type[Any]) -> bool:
    return any(
        "__getattr__" in class_.__dict__ or "__getattribute__" in class_.__dict__
        for class_ in type_.__mro__
        if class_ is not object and class_ not in _PLAINLY_READ
    )


KINDS: Final = Kinds()
