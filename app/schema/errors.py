"""How errors of the model are shown: as data in mutations, with a code everywhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import strawberry

from app.execution.operation import ShownError
from app.model import session as sessions
from app.model.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    LimitExceeded,
    NotFound,
    ScrollbackError,
)
from app.schema.enums import UserErrorCode
from app.schema.field import field
from app.schema.session import Session

USER_ERRORS = (InvalidInput, NotFound, Forbidden, Conflict, LimitExceeded)
"""What a user can act on. The other errors of the model are for whoever runs the server."""


def describe_error(error: BaseException) -> ShownError | None:
    """Answers how an exception of a resolver is shown; None for one that no client may see.

    The model's errors are written for users, so their message and code go out, with `path`
    where they know the input at fault.
    """
    if not isinstance(error, ScrollbackError):
        return None
    path = path_of(error)
    return ShownError(error.message, error.code, {"inputPath": list(path)} if path else {})


def path_of(error: ScrollbackError) -> tuple[str, ...]:
    """Returns the path of the input at fault, empty where the error knows none."""
    if isinstance(error, (InvalidInput, NotFound, LimitExceeded)):
        return error.path
    return ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error of the model as data: an exception among a field's results would be raised."""

    error: ScrollbackError

    @property
    def message(self) -> str:
        """What is wrong, for people."""
        return self.error.message


@strawberry.interface(
    description=(
        "A mistake that you, or your user, can do something about. Where there is any, the "
        "mutation has changed nothing."
    )
)
class UserError:
    """The `UserError` interface. The objects behind it hold the model's own errors."""

    message: str = strawberry.field(description="What is wrong, for people.")

    @field(graphql_type=UserErrorCode, description="What is wrong, for programs.")
    @staticmethod
    def code(refusal: strawberry.Parent[Refusal]) -> UserErrorCode:
        """Returns the code of the error's class."""
        return UserErrorCode(refusal.error.code)

    @field(
        graphql_type=list[str] | None,
        description=(
            'The input at fault, such as `["input", "messages", "0", "parts", "2", "image", '
            '"url"]`. Null where it is not one field.'
        ),
    )
    @staticmethod
    def path(refusal: strawberry.Parent[Refusal]) -> list[str] | None:
        """Returns the path below the mutation's arguments."""
        path = path_of(refusal.error)
        return ["input", *path] if path else None

    @classmethod
    def resolve_type(cls, refusal: Refusal, *_: Any) -> str:
        """Returns the name of the GraphQL type of an error."""
        return _TYPE_NAMES[type(refusal.error)]

    @classmethod
    def is_type_of(cls, refusal: Refusal, _info: Any) -> bool:
        """Answers whether an error is of this type."""
        return cls.resolve_type(refusal) == cls.__name__


@strawberry.type(description="The input is wrong: mend the field that `path` names.")
class InvalidInputError(UserError):
    """Wrong input."""


@strawberry.type(description="There is no such thing, or you may not see it.")
class NotFoundError(UserError):
    """Nothing there."""


@strawberry.type(description="You see it and may not do this to it.")
class ForbiddenError(UserError):
    """No permission."""


@strawberry.type(
    description="The state is not what the input expects. Look at it again, and decide again."
)
class ConflictError(UserError):
    """Another state than expected."""

    @field(
        graphql_type=int | None,
        description="The session's revision now: give it as `expectedRevision` to try again.",
    )
    @staticmethod
    def current_revision(refusal: strawberry.Parent[Refusal]) -> int | None:
        """Returns the revision of the session as it is."""
        current = _current(refusal.error)
        return None if current is None else current.revision

    @field(graphql_type=Session | None, description="The session as it is now.")
    @staticmethod
    def current(refusal: strawberry.Parent[Refusal]) -> sessions.Session | None:
        """Returns the session as it is."""
        return _current(refusal.error)


@strawberry.type(description="More than is allowed at once: `viewer.limits` has the numbers.")
class LimitExceededError(UserError):
    """Too much."""


ERROR_TYPES = (
    InvalidInputError,
    NotFoundError,
    ForbiddenError,
    ConflictError,
    LimitExceededError,
)
"""The kinds of errors, for the schema: nothing but the interface leads to them."""

_TYPE_NAMES: dict[type, str] = {
    InvalidInput: "InvalidInputError",
    NotFound: "NotFoundError",
    Forbidden: "ForbiddenError",
    Conflict: "ConflictError",
    LimitExceeded: "LimitExceededError",
}


def _current(error: ScrollbackError) -> sessions.Session | None:
    return error.current if isinstance(error, Conflict) else None
