"""Times as chat logs write them: ISO 8601 text, or seconds or milliseconds since 1970."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.model.timestamps import Timestamp, parse_timestamp, to_timestamp

_MILLISECONDS_FROM = 100_000_000_000
"""A number this large is milliseconds: as seconds it would be after the year 5000."""


def take_time(fields: dict[str, Any], names: Iterable[str], zone: tzinfo) -> Timestamp | None:
    """Takes the first field that is a time out of the fields and returns it.

    Text without an offset is read in `zone`. What is no time stays where it is; a null goes.
    """
    for name in names:
        if name not in fields:
            continue
        moment = _read(fields[name], zone)
        if moment is not None:
            del fields[name]
            return moment
        if fields[name] is None:
            del fields[name]
    return None


def _read(value: object, zone: tzinfo) -> Timestamp | None:
    if isinstance(value, str):
        try:
            return parse_timestamp(value.strip(), naive=zone)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
    try:
        return to_timestamp(datetime.fromtimestamp(seconds, UTC))
    except (OverflowError, ValueError, OSError):
        return None


def local_zone() -> tzinfo:
    """Returns this machine's time zone with its rules, so that summer time is told from winter."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if name:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            return _present_offset()
    try:
        with Path("/etc/localtime").open("rb") as rules:
            return ZoneInfo.from_file(rules)
    except (OSError, ValueError):
        return _present_offset()


def _present_offset() -> tzinfo:
    return datetime.now(UTC).astimezone().tzinfo or UTC
