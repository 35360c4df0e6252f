"""Everything that has an id of its own, in the terms of Relay's object identification."""

from __future__ import annotations

from typing import Any

import strawberry

from app.schema.field import field
from app.schema.global_id import encode_global_id

NODE_ID = "The thing's id: opaque, safe in a URL, and always the same text for the same thing."


@strawberry.interface(description="A thing with an id of its own, which `node` fetches again.")
class Node:
    """The `Node` interface. The objects behind it are the model's own."""

    @field(graphql_type=strawberry.ID, description=NODE_ID, reads=())
    @staticmethod
    def id(node: strawberry.Parent[Any]) -> str:
        """Returns the global id. A type that knows its object better overrides this."""
        return encode_global_id(node)

    @classmethod
    def resolve_type(cls, node: object, *_: Any) -> str:
        """Returns the name of the GraphQL type of a model object: they are called alike."""
        return type(node).__name__
