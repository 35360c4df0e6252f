"""One answer to one event for many subscriptions.

Subscriptions that ask the same thing as the same caller differ in nothing that their answers could
depend on. So an event that reaches them as one object is executed once, by whichever comes first,
and the others take its answer. The answers are kept in the event, and go with it. Those that wait
for the event need not even be woken for it: their source writes the answer where they would.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from time import monotonic
from typing import NamedTuple, TypeAlias, TypeVar
from weakref import WeakValueDictionary

import orjson
from msgspec import Struct

from app.execution.operation import Request, Response

EventT = TypeVar("EventT")

Write: TypeAlias = Callable[[Response], bool]
"""Takes an answer to where a subscription sends its own, and tells whether it has.

It takes none after which its subscription would have to wait before the next.
"""

SHARED_SECONDS = 1.0
"""How old an answer may be when it is taken. What it was made of may have changed since."""


class SharedEvent(Struct, frozen=True, kw_only=True, eq=False):
    """An event that its source gives to many subscriptions as one object.

    Whoever keeps it clears `answers` when something happens that an answer should tell of.
    """

    answers: dict[Audience, Answer] = {}


class Audience:
    """The subscriptions whose answers to one event can't differ."""

    __slots__ = ("__weakref__",)


class Audiences:
    """The audiences that there are now; one is forgotten with the last of its subscriptions."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[Hashable, Audience] = WeakValueDictionary()

    def join(self, request: Request, caller: Hashable) -> Audience:
        """Returns the audience of a request. `caller` is all else that answers depend on."""
        variables = orjson.dumps(request.variables, option=orjson.OPT_SORT_KEYS)
        key = (request.query, request.operation_name, variables, caller)
        audience = self._known.get(key)
        if audience is None:
            audience = self._known[key] = Audience()
        return audience


class Standby(NamedTuple):
    """What a subscription leaves with its source, to be answered while it waits for an event."""

    audience: Audience
    write: Write


class SharingSource(AsyncGenerator[EventT, None]):
    """A source of shared events that can have a subscription answered without waking it."""

    @abstractmethod
    def stand_by(self, standby: Standby) -> None:
        """Lets answers that others have made to an event be written while it is waited for.

        Such an event is not given out any more. Everything else is, and each event that `write`
        does not take. Called before the first event is asked for.
        """


class Answer:
    """An answer that is made, or was: `response` stays None where whoever made it left."""

    __slots__ = ("made", "ready", "response", "then")

    def __init__(self) -> None:
        self.response: Response | None = None
        self.made = 0.0
        self.ready = asyncio.Event()
        self.then: list[Callable[[], None]] = []
        """What is called when it is ready."""


def find_answer(event: SharedEvent, audience: Audience) -> Answer | None:
    """Returns the audience's answer to an event, made or under way; None if one is to be made."""
    known = event.answers.get(audience)
    if known is None or known.response is None or monotonic() - known.made <= SHARED_SECONDS:
        return known
    return None


async def answer_once(
    event: SharedEvent, audience: Audience, respond: Callable[[object], Awaitable[Response]]
) -> Response:
    """Returns the audience's answer to an event, made by `respond` if there is none yet."""
    while (known := find_answer(event, audience)) is not None:
        if known.response is None:
            await known.ready.wait()
        if known.response is not None:
            return known.response
    answers = event.answers
    answer = answers[audience] = Answer()
    answer.made = monotonic()
    try:
        answer.response = await respond(event)
        return answer.response
    finally:
        if answer.response is None and answers.get(audience) is answer:
            del answers[audience]
        answer.ready.set()
        while answer.then:
            answer.then.pop()()
