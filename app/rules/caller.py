"""Who asks, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.model.identifiers import UserId

LOCAL_USER = UserId("local")
"""The one user of a server without logins."""


class Permission(StrEnum):
    """What a caller may do beyond their own sessions."""

    READ_ALL_SESSIONS = "read_all_sessions"
    WRITE_ALL_SESSIONS = "write_all_sessions"


@dataclass(frozen=True, slots=True)
class Caller:
    """The user on whose behalf an operation runs."""

    user_id: UserId
    permissions: frozenset[Permission] = frozenset()


def may_read_all(caller: Caller) -> bool:
    """Answers whether sessions of others, and unowned ones, are visible to the caller."""
    return Permission.READ_ALL_SESSIONS in caller.permissions


def may_write_all(caller: Caller) -> bool:
    """Answers whether the caller may change sessions of others, and unowned ones."""
    return Permission.WRITE_ALL_SESSIONS in caller.permissions
