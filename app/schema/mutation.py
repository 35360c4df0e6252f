"""Everything that can be changed."""

from __future__ import annotations

import strawberry

from app.schema.directory_mutation import DirectoryMutations
from app.schema.message_mutation import MessageMutations
from app.schema.session_mutation import SessionMutations


@strawberry.type(
    description=(
        "Everything that can be changed. Each change is durable when it is answered, and happens "
        "once however often you send it with the same `idempotencyKey`."
    )
)
class Mutation(SessionMutations, MessageMutations, DirectoryMutations):
    """The root of mutations."""
