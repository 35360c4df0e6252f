"""What one operation carries with it: the caller, the services, and loaders of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TypeAlias, TypeVar

import strawberry
from strawberry.dataloader import DataLoader

from app.backends.protocol import Found
from app.model.identifiers import AgentId, MessageId, ProfileId, SessionId, SessionKey, UserId
from app.model.message import Message
from app.model.paging import MessagePageRequest, Page, SessionPageRequest
from app.model.session import Agent, Profile, Session, User
from app.resolvers import loaders
from app.resolvers.services import Services
from app.rules.caller import Caller

K = TypeVar("K")
V = TypeVar("V")

LoadBatch: TypeAlias = Callable[[Services, Caller, Collection[K]], Awaitable[Found[K, V]]]


class OperationContext:
    """The context of one operation, and no other's.

    The loaders batch what the fields of an operation ask for and remember it. `renew` forgets
    it: before each event of a subscription, and after each change that a mutation makes.
    """

    __slots__ = (
        "agents",
        "caller",
        "message_pages",
        "messages",
        "profiles",
        "services",
        "session_pages",
        "sessions",
        "sessions_by_key",
        "users",
    )

    sessions: DataLoader[SessionId, Session | None]
    sessions_by_key: DataLoader[SessionKey, Session | None]
    session_pages: DataLoader[SessionPageRequest, Page[Session] | None]
    messages: DataLoader[MessageId, Message | None]
    message_pages: DataLoader[MessagePageRequest, Page[Message] | None]
    users: DataLoader[UserId, User | None]
    agents: DataLoader[AgentId, Agent | None]
    profiles: DataLoader[ProfileId, Profile | None]

    def __init__(self, services: Services, caller: Caller) -> None:
        self.services = services
        self.caller = caller
        self.renew()

    def renew(self) -> None:
        """Takes new loaders, so that whatever is read next is read anew."""
        self.sessions = self._loader(loaders.load_sessions)
        self.sessions_by_key = self._loader(loaders.load_sessions_by_key)
        self.session_pages = self._loader(loaders.load_session_pages)
        self.messages = self._loader(loaders.load_messages)
        self.message_pages = self._loader(loaders.load_message_pages)
        self.users = self._loader(loaders.load_users)
        self.agents = self._loader(loaders.load_agents)
        self.profiles = self._loader(loaders.load_profiles)

    def _loader(self, load: LoadBatch[K, V]) -> DataLoader[K, V | None]:
        """Returns a loader over a batch function; None stands for what is absent."""

        async def load_aligned(keys: list[K]) -> list[V | BaseException | None]:
            found = await load(self.services, self.caller, keys)
            return [found.get(key) for key in keys]

        return DataLoader(load_aligned)


Info: TypeAlias = strawberry.Info[OperationContext, None]
"""What a resolver learns of its field; `info.context` is the operation's."""
