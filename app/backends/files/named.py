"""Who is named: the people, agents and profiles that sessions and messages speak of."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from app.backends.files.entry import Entry
from app.model.message import Message
from app.model.session import Session


@dataclass(slots=True)
class Named:
    """Ids by the register that they belong to."""

    ids: dict[str, set[str]] = field(
        default_factory=lambda: {"users": set(), "agents": set(), "profiles": set()}
    )

    def add_entry(self, entry: Entry) -> None:
        """Adds whoever an entry names."""
        if entry.header is not None:
            self.add_session(entry.header)
        if entry.message is not None:
            self.add_message(entry.message)

    def add_session(self, session: Session) -> None:
        """Adds whoever a session names."""
        self._add("users", session.owner_id)
        self._add("agents", session.agent_id)
        self._add("agents", session.peer_agent_id)
        self._add("profiles", session.profile_id)

    def add_message(self, message: Message) -> None:
        """Adds whoever sent a message."""
        if message.sender is not None:
            self._add("users", message.sender.user_id)
            self._add("agents", message.sender.agent_id)

    def merge(self, other: Named) -> None:
        """Adds everybody of another."""
        for register, ids in other.ids.items():
            self.ids[register] |= ids

    def unknown(self, connection: sqlite3.Connection) -> dict[str, list[str]]:
        """Returns those that the index does not have, by register; no register is empty."""
        found: dict[str, list[str]] = {}
        for register, ids in self.ids.items():
            known = f"SELECT 1 FROM {register} WHERE id = ?"  # noqa: S608 - names of our own
            new = [one for one in sorted(ids) if not connection.execute(known, (one,)).fetchone()]
            if new:
                found[register] = new
        return found

    def _add(self, register: str, identifier: str | None) -> None:
        if identifier is not None:
            self.ids[register].add(identifier)
