"""Whose cancellation it is."""

from __future__ import annotations

import asyncio


def is_given_up() -> bool:
    """Tells whether it is the current task that is cancelled, and not what it awaits.

    A task in a local variable of a frame that its cancellation passes would refer to itself, and
    keep all of its socket until the next garbage collection.
    """
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
