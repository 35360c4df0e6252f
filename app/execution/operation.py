"""What goes into an execution and what comes out: request, response, and how an error is shown.

Shapes follow the GraphQL over HTTP specification (request parameters) and the GraphQL
specification, section 7 (response).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson
from msgspec import Struct
from msgspec.structs import force_setattr


class OperationKind(StrEnum):
    """The three kinds of operation of the GraphQL specification, section 2.3."""

    QUERY = "query"
    MUTATION = "mutation"
    SUBSCRIPTION = "subscription"


class Request(Struct, frozen=True):
    """One GraphQL request, its types already checked by the transport."""

    query: str
    variables: Mapping[str, Any] | None = None
    operation_name: str | None = None


class Response(Struct, frozen=True):
    """One GraphQL response.

    `executed` tells a request error (syntax, validation, limits, unknown operation: no `data` at
    all) from a result of execution, where `data` may be null because of a field error.
    """

    executed: bool
    data: dict[str, Any] | None = None
    errors: list[dict[str, Any]] = []
    extensions: dict[str, Any] = {}
    _encoded: bytes | None = None

    def formatted(self) -> dict[str, Any]:
        """Returns the response as the mapping that goes over the wire."""
        shown: dict[str, Any] = {}
        if self.errors:
            shown["errors"] = self.errors
        if self.executed:
            shown["data"] = self.data
        if self.extensions:
            shown["extensions"] = self.extensions
        return shown

    def encoded(self) -> bytes:
        """Returns the response as JSON, made once for all who send it."""
        encoded = self._encoded
        if encoded is None:
            encoded = orjson.dumps(self.formatted())
            force_setattr(self, "_encoded", encoded)
        return encoded


@dataclass(frozen=True, slots=True)
class ShownError:
    """What a client may learn of an exception: a message, a code, and further extensions."""

    message: str
    code: str
    extensions: Mapping[str, Any] = field(default_factory=dict)


DescribeError = Callable[[BaseException], ShownError | None]
"""Answers how an exception of a resolver is shown; None for one that no client may see."""
