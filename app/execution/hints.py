"""What the author of a schema may tell of a field in Strawberry's `metadata`, and need not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

PLACE_IN_LIST: Final[Mapping[Any, Any]] = {"app.execution.place_in_list": True}
"""The field of an object in a list is its index there.

Its resolver answers just that, from `info.path`; compiled, it is not called for it.
"""


def is_place_in_list(metadata: Mapping[Any, Any]) -> bool:
    """Tells whether a field was given that hint."""
    return PLACE_IN_LIST.items() <= metadata.items()
