"""Pages, in the terms of Relay's GraphQL Cursor Connections Specification."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import strawberry
from msgspec import Struct

from app.model.paging import Page

T = TypeVar("T")

FIRST = (
    "How many from the beginning of what `after` and `before` leave: 50 by default, at most 100."
)
LAST = "How many from the end of what `after` and `before` leave, at most 100. Not with `first`."
AFTER = "A cursor: only what comes after that place."
BEFORE = "A cursor: only what comes before that place."


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    """The flags are exact: the store looks one item further than it answers."""

    has_next_page: bool = strawberry.field(description="Whether something comes after this page.")
    has_previous_page: bool = strawberry.field(
        description="Whether something comes before this page."
    )
    start_cursor: str | None = strawberry.field(
        description="The first edge's cursor: give it as `before` to go back. Null on no edges."
    )
    end_cursor: str | None = strawberry.field(
        description="The last edge's cursor: give it as `after` to go on. Null on no edges."
    )


class PageEnds(Struct, Generic[T], frozen=True):
    """What a `PageInfo` is made from; a cursor is made where it is asked for."""

    page: Page[T]
    cursor: Callable[[T], str]

    @property
    def has_next_page(self) -> bool:
        """Whether something comes after the page."""
        return self.page.has_next

    @property
    def has_previous_page(self) -> bool:
        """Whether something comes before the page."""
        return self.page.has_previous

    @property
    def start_cursor(self) -> str | None:
        """The first item's cursor."""
        items = self.page.items
        return self.cursor(items[0]) if items else None

    @property
    def end_cursor(self) -> str | None:
        """The last item's cursor."""
        items = self.page.items
        return self.cursor(items[-1]) if items else None
