"""How a client asks for a page, in the terms of the GraphQL Cursor Connections Specification."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar

from app.model.errors import InvalidInput, LimitExceeded
from app.model.identifiers import Sequence
from app.model.paging import Take, Window
from app.rules.limits import Limits

BoundT = TypeVar("BoundT")


def choose_window(
    limits: Limits,
    *,
    first: int | None,
    after: BoundT | None,
    last: int | None,
    before: BoundT | None,
) -> Window[BoundT]:
    """Returns the window that a client asks for; with neither `first` nor `last`, a first page.

    InvalidInput for both of them or a size below 0, LimitExceeded for too large a page.
    """
    if first is not None and last is not None:
        raise InvalidInput("Give first or last, not both: a page is taken from one end.", ("last",))
    if last is not None:
        size = check_page_size(last, "last", limits)
        take = Take.LAST
    else:
        size = limits.page_size if first is None else check_page_size(first, "first", limits)
        take = Take.FIRST
    if after is None and before is None:
        return _end(size, take)
    return Window(limit=size, take=take, after=after, before=before)


# One object for all that want the same: as a key its hash is computed once.
@lru_cache(maxsize=256)
def _end(size: int, take: Take) -> Window[Any]:
    return Window(limit=size, take=take)


def choose_windows_around(
    limits: Limits, middle: Sequence, *, before: int | None, after: int | None
) -> tuple[Window[Sequence], ...]:
    """Returns the windows up to and with a message, and after it where any are asked for.

    Each side has half a default page unless it is given. InvalidInput for a side below 0,
    LimitExceeded where both sides and the message are more than a page.
    """
    half = limits.page_size // 2
    count_before = half if before is None else check_page_size(before, "before", limits)
    count_after = half if after is None else check_page_size(after, "after", limits)
    total = count_before + 1 + count_after
    if total > limits.max_page_size:
        raise LimitExceeded(
            f"{total} messages, the one in the middle with them; a page has at most "
            f"{limits.max_page_size}.",
            ("after",),
        )
    up_to = Window(limit=count_before + 1, take=Take.LAST, before=Sequence(middle + 1))
    if count_after == 0:
        return (up_to,)
    return up_to, Window(limit=count_after, after=middle)


def check_page_size(size: int, argument: str, limits: Limits) -> int:
    """Returns an allowed page size. InvalidInput below 0, LimitExceeded above the limit."""
    if size < 0:
        raise InvalidInput(f"{argument} can't be negative.", (argument,))
    if size > limits.max_page_size:
        raise LimitExceeded(
            f"{argument} is {size}, a page has at most {limits.max_page_size}.", (argument,)
        )
    return size
