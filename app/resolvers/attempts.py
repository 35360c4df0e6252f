"""Attempts at a change: the client's key for one, and the digest of what it asked for."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any

import orjson
from msgspec import NODEFAULT, Struct, structs

from app.model.changes import Idempotency
from app.rules.limits import Limits
from app.rules.sessions import check_idempotency_key


class Attempt(Struct, frozen=True):
    """One try at one operation. With a key it can be repeated and happens once.

    `request` is everything that the client asked for, the key aside.
    """

    operation: str
    request: tuple[object, ...]
    key: str | None = None

    def check(self, limits: Limits) -> None:
        """Raises InvalidInput and LimitExceeded for a key that can't be kept."""
        if self.key is not None:
            check_idempotency_key(self.key, limits)

    def idempotency(self) -> Idempotency | None:
        """Returns the key with the digest of the request; None without a key."""
        if self.key is None:
            return None
        return Idempotency(key=self.key, digest=digest_request(self.operation, self.request))


def digest_request(operation: str, request: tuple[object, ...]) -> str:
    """Returns the SHA-256 of a request in canonical JSON, in hexadecimal digits.

    Keys are sorted and fields that hold their default are left out, so that a field which a
    later version adds does not make an old request look like another one.
    """
    canonical = orjson.dumps([operation, _to_json(request)], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()


def _to_json(value: object) -> Any:
    defaults = _DEFAULTS[type(value)]
    if defaults is not None:
        given = {
            name: _to_json(field)
            for name, default in defaults.items()
            if (field := getattr(value, name)) != default or default is NODEFAULT
        }
        return [type(value).__name__, given]
    if isinstance(value, Mapping):
        return {key: _to_json(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_to_json(item) for item in value]
    return value


class _Defaults(dict[type, "dict[str, Any] | None"]):
    """The fields of each type of record with their defaults, None for any other type."""

    def __missing__(self, type_: type[Any]) -> dict[str, Any] | None:
        found: dict[str, Any] | None = None
        if issubclass(type_, Struct):
            found = {field.name: field.default for field in structs.fields(type_)}
        elif is_dataclass(type_):
            found = {
                field.name: NODEFAULT if field.default is dataclasses.MISSING else field.default
                for field in dataclasses.fields(type_)
            }
        self[type_] = found
        return found


_DEFAULTS = _Defaults()
