"""Fields with resolvers, typed: Strawberry's own decorator gives up the type of what it wraps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import strawberry

ResolverT = TypeVar("ResolverT")


def field(
    *, description: str, graphql_type: Any = None, name: str | None = None
) -> Callable[[ResolverT], ResolverT]:
    """Makes a static method the resolver of a field.

    `graphql_type` is what the field is in the schema, where the resolver returns the object of
    the model behind it.
    """
    decorate: Callable[[ResolverT], ResolverT] = strawberry.field(
        description=description, graphql_type=graphql_type, name=name
    )
    return decorate


def subscription(*, description: str, graphql_type: Any = None) -> Callable[[ResolverT], ResolverT]:
    """Makes a static method the source of a subscription: it returns an async generator."""
    decorate: Callable[[ResolverT], ResolverT] = strawberry.subscription(
        description=description, graphql_type=graphql_type
    )
    return decorate
