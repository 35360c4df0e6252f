"""Points in time, kept as the text that is sent: UTC, ISO 8601, microseconds.

`2026-03-01T09:30:00.000000Z` sorts as text as it does in time, is stored as it is on every
backend, and is never parsed only to be printed again.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import NewType

Timestamp = NewType("Timestamp", str)


def to_timestamp(moment: datetime) -> Timestamp:
    """Returns an aware moment in canonical form. ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a time without an offset is ambiguous")
    return _canonical(moment.astimezone(UTC))


def parse_timestamp(text: str, *, naive: tzinfo | None = None) -> Timestamp:
    """Returns ISO 8601 text in canonical form.

    A time without an offset is read in the zone `naive`; without one it is a ValueError, as is
    text that is no time.
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None and naive is not None:
            moment = moment.replace(tzinfo=naive)
        return to_timestamp(moment)
    except OverflowError as error:
        raise ValueError(f"{text} is out of range") from error


def now() -> Timestamp:
    """Returns the present time by the system's clock."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return Timestamp(f"{_second(seconds)}.{nanoseconds // 1000:06}Z")


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    """Returns a second since the epoch: its text is most of what a time costs."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def _canonical(moment: datetime) -> Timestamp:
    return Timestamp(moment.isoformat(timespec="microseconds")[: -len("+00:00")] + "Z")
