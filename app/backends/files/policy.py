"""When a change counts as durable."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.model.errors import StoreUnusable


class Durability(StrEnum):
    """`always`: before it is acknowledged. `interval`: soon after. `os`: when the system likes."""

    ALWAYS = "always"
    INTERVAL = "interval"
    OS = "os"


@dataclass(frozen=True, slots=True)
class Policy:
    """What an acknowledgement promises; `interval` is in milliseconds.

    Every policy outlives the end of the process, kill -9 included; `always` outlives a power cut
    too, `interval` but for the last milliseconds, `os` but for what the system had not written.
    """

    durability: Durability = Durability.ALWAYS
    interval: int = 0


def parse_policy(text: str) -> Policy:
    """Returns the policy of `always`, `interval=N` or `os`. Raises `StoreUnusable`."""
    name, equals, number = text.partition("=")
    if name == Durability.INTERVAL and number.isdecimal() and int(number) > 0:
        return Policy(Durability.INTERVAL, int(number))
    if name in (Durability.ALWAYS, Durability.OS) and not equals:
        return Policy(Durability(name))
    raise StoreUnusable(
        f"durability={text} is unknown: write always, interval=N (milliseconds, N at least 1) or os"
    )
