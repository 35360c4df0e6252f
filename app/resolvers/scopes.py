"""What a caller may touch, as the scope that every statement of the store carries."""

from __future__ import annotations

from app.backends.protocol import EVERYTHING, Scope
from app.rules.caller import Caller, may_read_all, may_write_all


def read_scope(caller: Caller) -> Scope:
    """Returns what the caller may see: their own sessions, or all of them."""
    return EVERYTHING if may_read_all(caller) else Scope(caller.user_id)


def write_scope(caller: Caller) -> Scope:
    """Returns what the caller may change: their own sessions, or all of them."""
    return EVERYTHING if may_write_all(caller) else Scope(caller.user_id)
