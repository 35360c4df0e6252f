"""The enumerations of the model as a client sees them, each value with what it means."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import strawberry

from app.model.message import MessageRole, MessageScope, MessageStatus
from app.model.paging import SessionOrderField
from app.model.search import SearchOrder
from app.model.session import SessionKind
from app.rules.caller import Permission


class OrderDirection(StrEnum):
    """Which way a list runs."""

    ASC = "asc"
    DESC = "desc"


class IfExists(StrEnum):
    """What to do where a session has the key already."""

    ERROR = "error"
    RETURN = "return"


class UserErrorCode(StrEnum):
    """What sort of mistake a mutation met."""

    INVALID_INPUT = "INVALID_INPUT"
    NOT_FOUND = "NOT_FOUND"
    FORBIDDEN = "FORBIDDEN"
    CONFLICT = "CONFLICT"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"


def _expose(enum: type[StrEnum], description: str, values: Mapping[Any, str]) -> None:
    """Makes an enumeration part of the schema. KeyError where a value has no description."""
    exposed: Any = strawberry.enum(enum, description=description)
    for member, value in zip(enum, exposed.__strawberry_definition__.values, strict=True):
        value.description = values[member]


_expose(
    MessageRole,
    "Who speaks in a message, in the terms of the model APIs.",
    {
        MessageRole.SYSTEM: "The instructions that a conversation is held under.",
        MessageRole.DEVELOPER: "Instructions of the application's developer.",
        MessageRole.USER: "The person, or whoever stands in the person's place.",
        MessageRole.ASSISTANT: "The model.",
        MessageRole.TOOL: "A tool, answering to a call of the model.",
    },
)
_expose(
    MessageStatus,
    "How far a message has come.",
    {
        MessageStatus.STREAMING: "It is still being written.",
        MessageStatus.COMPLETE: "It is finished.",
        MessageStatus.FAILED: "Writing it ended with an error.",
        MessageStatus.CANCELED: "Somebody stopped it before it was finished.",
    },
)
_expose(
    MessageScope,
    "Which messages of a session are meant.",
    {
        MessageScope.ACTIVE: "Those that are not archived.",
        MessageScope.ARCHIVED: "Those that are archived.",
        MessageScope.ALL: "Both, in one order: scroll back without a seam.",
    },
)
_expose(
    SessionKind,
    "What sort of conversation a session is.",
    {
        SessionKind.DIRECT: "One person and an agent.",
        SessionKind.GROUP: "Several people.",
        SessionKind.AGENT_TO_AGENT: "Two agents among themselves.",
        SessionKind.TRIGGER: "Started by an event or a schedule.",
    },
)
_expose(
    SessionOrderField,
    "What sessions are ordered by. Ties are broken by id.",
    {
        SessionOrderField.LAST_ACTIVITY: "The time of the newest message, or of the creation.",
        SessionOrderField.CREATED: "The time of the creation.",
        SessionOrderField.TITLE: "The title, upper and lower case alike; no title comes first.",
    },
)
_expose(
    SearchOrder,
    "What the messages found are ordered by.",
    {
        SearchOrder.RELEVANCE: (
            "How well they answer the query, the newest first among equals. The newest 1,000 "
            "that match are ranked and answered."
        ),
        SearchOrder.NEWEST: "The time that they were said, the newest first: all that match.",
    },
)
_expose(
    Permission,
    "What a caller may do beyond their own sessions.",
    {
        Permission.READ_ALL_SESSIONS: "See the sessions of everybody.",
        Permission.WRITE_ALL_SESSIONS: "Change the sessions of everybody.",
    },
)
_expose(
    OrderDirection,
    "Which way a list runs.",
    {
        OrderDirection.ASC: "From small to large: the oldest, or A, first.",
        OrderDirection.DESC: "From large to small: the newest, or Z, first.",
    },
)
_expose(
    IfExists,
    "What to do where you have a session with the key already.",
    {
        IfExists.ERROR: "Answer a ConflictError and change nothing.",
        IfExists.RETURN: "Answer that session as it is and change nothing.",
    },
)
_expose(
    UserErrorCode,
    "What sort of mistake a mutation met.",
    {
        UserErrorCode.INVALID_INPUT: "The input is wrong: mend the field that `path` names.",
        UserErrorCode.NOT_FOUND: "There is no such thing, or you may not see it.",
        UserErrorCode.FORBIDDEN: "You see it and may not do this to it.",
        UserErrorCode.CONFLICT: "The state is not what the input expects: look again.",
        UserErrorCode.LIMIT_EXCEEDED: "More than is allowed at once.",
    },
)
