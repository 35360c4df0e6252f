"""The caller: who they are, what they may do, and the limits they live with."""

from __future__ import annotations

from dataclasses import dataclass

import strawberry

from app.model import session as model
from app.rules import limits as rules
from app.rules.caller import Caller, Permission
from app.schema.context import Info
from app.schema.directory import User
from app.schema.field import field


@strawberry.type(
    name="Limits",
    description="How much is allowed at once. Lengths are in characters, sizes in bytes.",
)
class LimitsType:
    """The limits of the rules."""

    page_size: int = strawberry.field(description="A page that names no size.")
    max_page_size: int = strawberry.field(description="The largest page.")
    node_ids: int = strawberry.field(description="The most ids that `nodes` takes.")
    messages_per_mutation: int = strawberry.field(description="The most messages at once.")
    parts_per_message: int = strawberry.field(description="The most parts of a message.")
    message_bytes: int = strawberry.field(description="The largest message.")
    title_length: int = strawberry.field(description="The longest title.")
    key_length: int = strawberry.field(description="The longest key of a session.")
    metadata_bytes: int = strawberry.field(
        description="The largest metadata of a session or a message, and the largest usage."
    )
    search_query_length: int = strawberry.field(description="The longest query to search for.")
    search_terms: int = strawberry.field(description="The most terms of a query to search for.")
    json_depth: int = strawberry.field(description="How deep JSON may nest objects and lists.")


@dataclass(frozen=True, slots=True)
class Viewing:
    """A caller and the limits of the server: what a viewer is made from."""

    caller: Caller
    limits: rules.Limits


@strawberry.type(description="You, as the server knows you.")
class Viewer:
    """The caller."""

    limits: LimitsType = strawberry.field(description="How much is allowed at once.")

    @field(graphql_type=User, description="The person you act for.")
    @staticmethod
    async def user(viewing: strawberry.Parent[Viewing], info: Info) -> model.User:
        """Loads the user; one without sessions is not in the store yet."""
        user_id = viewing.caller.user_id
        return await info.context.users.load(user_id) or model.User(user_id)

    @field(graphql_type=list[Permission], description="What you may do beyond your own sessions.")
    @staticmethod
    def permissions(viewing: strawberry.Parent[Viewing]) -> list[Permission]:
        """Returns the caller's permissions, in a steady order."""
        return sorted(viewing.caller.permissions)
