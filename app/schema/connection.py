"""Pages, in the terms of Relay's GraphQL Cursor Connections Specification."""

from __future__ import annotations

import strawberry

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
