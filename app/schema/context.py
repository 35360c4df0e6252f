"""What one operation carries with it: the caller, the services, and loaders of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Generic, Self, TypeAlias, TypeVar, overload

import strawberry

from app.backends.protocol import Found
from app.execution.batch_loader import BatchLoader
from app.resolvers import loaders
from app.resolvers.services import Services
from app.rules.caller import Caller

K = TypeVar("K")
V = TypeVar("V")

LoadBatch: TypeAlias = Callable[[Services, Caller, Collection[K]], Awaitable[Found[K, V]]]


class Loaded(Generic[K, V]):
    """An attribute of a context: its loader over a batch function, made when it is first asked.

    From then on the loader stands in the context itself, so that no function finds it.
    """

    def __init__(self, load: LoadBatch[K, V]) -> None:
        self._load = load
        self._name = ""

    def __set_name__(self, owner: type[OperationContext], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, context: None, owner: type[OperationContext]) -> Self: ...

    @overload
    def __get__(
        self, context: OperationContext, owner: type[OperationContext]
    ) -> BatchLoader[K, V]: ...

    def __get__(
        self, context: OperationContext | None, owner: type[OperationContext]
    ) -> Self | BatchLoader[K, V]:
        """Returns the loader that the context has until it is renewed."""
        if context is None:
            return self
        load, services, caller = self._load, context.services, context.caller
        loader: BatchLoader[K, V] = BatchLoader(lambda keys: load(services, caller, keys))
        vars(context)[self._name] = loader
        return loader


class OperationContext:
    """The context of one operation, and no other's.

    The loaders batch what the fields of an operation ask for and remember it. `renew` forgets
    it: before each event of a subscription, and after each change that a mutation makes.
    """

    sessions = Loaded(loaders.load_sessions)
    sessions_by_key = Loaded(loaders.load_sessions_by_key)
    session_pages = Loaded(loaders.load_session_pages)
    messages = Loaded(loaders.load_messages)
    message_pages = Loaded(loaders.load_message_pages)
    searches = Loaded(loaders.load_searches)
    users = Loaded(loaders.load_users)
    agents = Loaded(loaders.load_agents)
    profiles = Loaded(loaders.load_profiles)

    def __init__(self, services: Services, caller: Caller) -> None:
        self.services = services
        self.caller = caller

    def renew(self) -> None:
        """Takes new loaders, so that whatever is read next is read anew."""
        services, caller = self.services, self.caller
        vars(self).clear()
        self.services, self.caller = services, caller


Info: TypeAlias = strawberry.Info[OperationContext, None]
"""What a resolver learns of its field; `info.context` is the operation's."""
