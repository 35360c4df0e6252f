"""What no mutation makes: people, agents and profiles with names to show."""

from __future__ import annotations

from collections.abc import AsyncIterator

from app.backends.protocol import Backend
from app.model.identifiers import AgentId, ProfileId, UserId
from app.model.records import Record
from app.model.session import Agent, Profile, User
from app.schema.global_id import encode_global_id

DIRECTORY: tuple[User | Agent | Profile, ...] = (
    User(UserId("ada"), "Ada Lovelace"),
    User(UserId("bob")),
    Agent(AgentId("navi"), "Navi"),
    Agent(AgentId("odo")),
    Profile(ProfileId("research")),
)


async def load_directory(backend: Backend) -> dict[str, str]:
    """Puts the directory into a store; returns the global ids by name."""

    async def records() -> AsyncIterator[Record]:
        for record in DIRECTORY:
            yield record

    await backend.load(records())
    return {record.id: encode_global_id(record) for record in DIRECTORY}
