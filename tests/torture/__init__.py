"""Faults of every kind, at a small scale unless `SCROLLBACK_TORTURE=full`."""

import os
from typing import Protocol

FULL = os.environ.get("SCROLLBACK_TORTURE") == "full"


class Progress(Protocol):
    """Says how far a test has got; at full scale only, where that takes a while."""

    def __call__(self, words: str, /) -> None:
        """Replaces what was said before."""
