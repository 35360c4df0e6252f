"""What the inputs of mutations have in common."""

from __future__ import annotations

import strawberry

from app.model.identifiers import Revision


@strawberry.input
class RepeatableInput:
    """An input with a name for the attempt."""

    idempotency_key: str | None = strawberry.field(
        default=None,
        description=(
            "Your name for this attempt, such as a random UUID. Where an answer got lost, send "
            "the same again: it happens once, and you get the first result. Within a session "
            "the same key with another input is a ConflictError."
        ),
    )


@strawberry.input
class ExpectingInput(RepeatableInput):
    """An input that may depend on what its sender has seen."""

    expected_revision: int | None = strawberry.field(
        default=None,
        description=(
            "The session's `revision` as you saw it. Where it has changed since, nothing is done "
            "and you get a ConflictError with the current one."
        ),
    )


def expected_revision(given: ExpectingInput) -> Revision | None:
    """Returns the revision that a change is made for, None for any."""
    return None if given.expected_revision is None else Revision(given.expected_revision)
