"""Fields with resolvers, typed: Strawberry's own decorator gives up the type of what it wraps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import strawberry

ResolverT = TypeVar("ResolverT")

READS = "reads"
"""Where a field's metadata keeps which fields of the model its resolver looks at."""


def field(
    *,
    description: str,
    graphql_type: Any = None,
    name: str | None = None,
    reads: tuple[str, ...] | None = None,
    metadata: Mapping[Any, Any] | None = None,
) -> Callable[[ResolverT], ResolverT]:
    """Makes a static method the resolver of a field.

    `graphql_type` is what the field is in the schema, where the resolver returns the object of
    the model behind it. `reads` names the fields of the parent that the resolver looks at, so
    that a page need not hold more; without it, all are read.
    """
    decorate: Callable[[ResolverT], ResolverT] = strawberry.field(
        description=description,
        graphql_type=graphql_type,
        name=name,
        metadata={**(metadata or {}), **({} if reads is None else {READS: reads})},
    )
    return decorate


def subscription(*, description: str, graphql_type: Any = None) -> Callable[[ResolverT], ResolverT]:
    """Makes a static method the source of a subscription: it returns an async generator."""
    decorate: Callable[[ResolverT], ResolverT] = strawberry.subscription(
        description=description, graphql_type=graphql_type
    )
    return decorate
