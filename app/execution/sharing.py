"""One answer to one event for many subscriptions.

Subscriptions that ask the same thing as the same caller differ in nothing that their answers could
depend on. So an event that reaches them as one object is executed once, by whichever comes first,
and the others take its answer. The answers are kept in the event, and go with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from time import monotonic
from weakref import WeakValueDictionary

import orjson
from msgspec import Struct

from app.execution.operation import Request, Response

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


class Answer:
    """An answer that is made, or was: `response` stays None where whoever made it left."""

    __slots__ = ("made", "ready", "response")

    def __init__(self) -> None:
        self.response: Response | None = None
        self.made = 0.0
        self.ready = asyncio.Event()


async def answer_once(
    event: SharedEvent, audience: Audience, respond: Callable[[object], Awaitable[Response]]
) -> Response:
    """Returns the audience's answer to an event, made by `respond` if there is none yet."""
    answers = event.answers
    while True:
        known = answers.get(audience)
        if known is None:
            break
        if known.response is not None:
            if monotonic() - known.made <= SHARED_SECONDS:
                return known.response
            break
        await known.ready.wait()
        if known.response is not None:
            return known.response
    answer = answers[audience] = Answer()
    answer.made = monotonic()
    try:
        answer.response = await respond(event)
        return answer.response
    finally:
        if answer.response is None and answers.get(audience) is answer:
            del answers[audience]
        answer.ready.set()
