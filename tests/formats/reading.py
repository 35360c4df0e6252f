"""Reading a source to its end, sorted by what comes out of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from app.formats.conversation import Conversation, Item, Notice
from app.model.records import Damage


@dataclass
class Read:
    """What a source gave, each kind in its order."""

    conversations: list[Conversation] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    @property
    def faults(self) -> list[tuple[str, int, str]]:
        """Where each damage is, and why."""
        return [(damage.source, damage.line, damage.reason) for damage in self.damages]


async def read_all(items: AsyncIterator[Item]) -> Read:
    """Reads a source to its end."""
    read = Read()
    async for item in items:
        match item:
            case Conversation():
                read.conversations.append(item)
            case Damage():
                read.damages.append(item)
            case Notice():
                read.notices.append(item)
    return read
