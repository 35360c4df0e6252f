"""The fields of one record of an archive, each taken out once and with its type checked."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from app.formats.lines import Unreadable
from app.model.timestamps import Timestamp, parse_timestamp

T = TypeVar("T")
EnumT = TypeVar("EnumT", bound=StrEnum)


class Fields:
    """Takes typed fields out of a JSON object. Every method raises `Unreadable` with the name."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def text(self, name: str) -> str:
        """Takes a text."""
        return _checked(name, self._take(name), str, "a text")

    def optional_text(self, name: str) -> str | None:
        """Takes a text or a null."""
        value = self._take(name)
        return None if value is None else _checked(name, value, str, "a text or null")

    def integer(self, name: str) -> int:
        """Takes a whole number that is not negative."""
        value = self._take(name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise Unreadable(f"{name} is not a whole number of at least 0")
        return value

    def optional_integer(self, name: str) -> int | None:
        """Takes a whole number that is not negative, or a null."""
        if self._is_null(name):
            return None
        return self.integer(name)

    def timestamp(self, name: str) -> Timestamp:
        """Takes a time in the one form that times are kept in."""
        value = self.text(name)
        try:
            canonical = parse_timestamp(value)
        except ValueError as error:
            raise Unreadable(f"{name} is not a time") from error
        if canonical != value:
            raise Unreadable(f"{name} is not in the form {canonical}")
        return canonical

    def optional_timestamp(self, name: str) -> Timestamp | None:
        """Takes a time or a null."""
        if self._is_null(name):
            return None
        return self.timestamp(name)

    def choice(self, name: str, kind: type[EnumT]) -> EnumT:
        """Takes one of the values of an enumeration."""
        value = self.text(name)
        try:
            return kind(value)
        except ValueError as error:
            allowed = ", ".join(kind)
            raise Unreadable(f"{name} is {value!r}; it can be {allowed}") from error

    def mapping(self, name: str) -> dict[str, Any]:
        """Takes a JSON object."""
        return _checked(name, self._take(name), dict, "an object")

    def optional_mapping(self, name: str) -> dict[str, Any] | None:
        """Takes a JSON object or a null."""
        value = self._take(name)
        return None if value is None else _checked(name, value, dict, "an object or null")

    def items(self, name: str) -> list[Any]:
        """Takes a list."""
        return _checked(name, self._take(name), list, "a list")

    def pair(self, name: str) -> tuple[Any, Any] | None:
        """Takes a list of two values, or a null."""
        value = self._take(name)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) != 2:
            raise Unreadable(f"{name} is not a list of two or null")
        return value[0], value[1]

    def finish(self) -> None:
        """Raises `Unreadable` where a field is left: nothing of a record is dropped in silence."""
        if self._values:
            raise Unreadable(f"the field {next(iter(self._values))} is unknown")

    def _take(self, name: str) -> Any:
        try:
            return self._values.pop(name)
        except KeyError:
            raise Unreadable(f"the field {name} is missing") from None

    def _is_null(self, name: str) -> bool:
        """Takes the field only where it is a null."""
        if self._values.get(name, 0) is not None:
            return False
        del self._values[name]
        return True


def _checked(name: str, value: object, kind: type[T], said: str) -> T:
    if not isinstance(value, kind):
        raise Unreadable(f"{name} is not {said}")
    return value
