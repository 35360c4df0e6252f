"""`serve` over the small schema, as a process that tests send signals to."""

from __future__ import annotations

import asyncio

import uvloop

from app.server.run import serve
from tests.server.world import World


async def main() -> None:
    world = World()

    async def tell() -> None:
        await world.mutations_begun.reach(1)
        print("mutation begun", flush=True)

    telling: list[asyncio.Task[None]] = []

    def on_listening(base_url: str) -> None:
        print(base_url + world.options.path, flush=True)
        telling.append(asyncio.create_task(tell()))

    await serve(world.build(), "127.0.0.1", 0, on_listening=on_listening)
    for task in telling:
        task.cancel()
        await asyncio.wait((task,))


if __name__ == "__main__":
    uvloop.run(main())
