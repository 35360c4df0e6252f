"""Subscribers of a session that answer what they are told, and stand by meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from app.execution.operation import Response
from app.execution.sharing import Audience, SharedEvent, Standby, answer_once
from app.live.followed import Logged
from tests.live.world import World


class Answering(World):
    """A world that counts how often an answer was made."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[int] = []
        self.answering: Callable[[], Awaitable[object]] | None = None

    async def respond(self, event: object) -> Response:
        """Makes the answer to an event: its number."""
        assert isinstance(event, Logged)
        self.made.append(event.event.revision)
        if self.answering is not None:
            await self.answering()
        return Response(executed=True, data={"revision": event.event.revision})


class Subscriber:
    """A subscription: a task that answers what it is told, and standing by meanwhile."""

    def __init__(self, world: Answering, audience: Audience | None) -> None:
        self.told: list[int | str] = []
        self.woken = 0
        self.takes = True
        self.stalled: asyncio.Event | None = None
        self._world = world
        self._audience = audience or Audience()
        self._follower = world.follow(1)
        if audience is not None:
            self._follower.stand_by(Standby(audience, self._write))
        self.task = asyncio.create_task(self._run())

    def _write(self, response: Response) -> bool:
        if self.takes and self.stalled is None:
            self._tell(response)
        return self.takes and self.stalled is None

    def _tell(self, response: Response) -> None:
        assert response.data is not None
        self.told.append(response.data["revision"])

    async def _run(self) -> None:
        try:
            async for item in self._follower:
                if isinstance(item, SharedEvent):
                    self.woken += 1
                    self._tell(await answer_once(item, self._audience, self._world.respond))
                else:
                    self.told.append(type(item).__name__)
                if self.stalled is not None:
                    await self.stalled.wait()
        finally:
            await self._follower.aclose()

    async def leave(self) -> None:
        """Ends it."""
        self.task.cancel()
        await asyncio.wait([self.task])


async def settle() -> None:
    """Lets the event loop turn until nothing more can come of what was done."""
    for _ in range(30):
        await asyncio.sleep(0)


async def subscribers(world: Answering, *audiences: Audience | None) -> list[Subscriber]:
    """Returns subscribers that have caught up."""
    found = [Subscriber(world, audience) for audience in audiences]
    await settle()
    assert [subscriber.told for subscriber in found] == [["CaughtUp"]] * len(found)
    return found


async def leave(*all_: Subscriber) -> None:
    for subscriber in all_:
        await subscriber.leave()


def told(all_: list[Subscriber]) -> list[list[int | str]]:
    """Returns what each was told since it had caught up."""
    return [subscriber.told[1:] for subscriber in all_]
