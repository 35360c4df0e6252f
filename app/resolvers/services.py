"""What every operation works with, put together once at the start."""

from __future__ import annotations

from dataclasses import dataclass

from app.backends.protocol import Backend
from app.live.broker import Broker
from app.live.feeds import Feeds
from app.rules.limits import Limits


@dataclass(frozen=True, slots=True)
class Services:
    """The store, the carrier of hints, the feeds of followed sessions, and the limits."""

    backend: Backend
    broker: Broker
    feeds: Feeds
    limits: Limits
