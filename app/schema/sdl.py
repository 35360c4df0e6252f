"""The schema as text."""

from __future__ import annotations

from graphql import lexicographic_sort_schema, print_schema

from app.execution.strawberry_schema import core_schema
from app.schema import schema


def print_sdl() -> str:
    """Returns the schema in GraphQL's definition language, sorted by name."""
    return print_schema(lexicographic_sort_schema(core_schema(schema))) + "\n"
