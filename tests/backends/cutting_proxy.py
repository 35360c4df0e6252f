"""A connection to a database that breaks at the worst moment: around a COMMIT."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum

from sqlalchemy import URL

# A transaction may also begin as READ COMMITTED, and an append in PostgreSQL is a statement that
# commits by itself: its name stands where its parameters are bound.
_COMMIT = re.compile(rb"COMMIT(?!TED)|B.{4}\0scrollback_append", re.DOTALL)


class Cut(Enum):
    """Where a connection breaks."""

    BEFORE = "before the server has seen the COMMIT"
    AT_ONCE = "as soon as the COMMIT is sent"
    AFTER = "when the server has answered, and its answer is on the way"


class CuttingProxy:
    """Passes bytes between clients and one server, and breaks connections as it is told."""

    def __init__(self, host: str, port: int) -> None:
        self._server = host, port
        self._clients: set[asyncio.Task[None]] = set()
        self.choose: Callable[[], Cut | None] = lambda: None
        """Asked at each COMMIT: where to cut, or not at all."""
        self.cuts: list[Cut] = []

    @asynccontextmanager
    async def listening(self, url: URL) -> AsyncIterator[URL]:
        """Listens, and gives the URL that leads through here."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            yield url.set(host="127.0.0.1", port=port)
        finally:
            server.close()
            clients = list(self._clients)
            for client in clients:
                client.cancel()
            await asyncio.gather(*clients, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)
        try:
            up_reader, up_writer = await asyncio.open_connection(*self._server)
            try:
                await self._pass_on(reader, writer, up_reader, up_writer)
            finally:
                up_writer.transport.abort()
        finally:
            writer.transport.abort()

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
    ) -> None:
        swallow = asyncio.Event()

        async def answer() -> None:
            while data := await up_reader.read(65_536):
                if swallow.is_set():
                    return
                writer.write(data)

        answering = asyncio.create_task(answer())
        asking = asyncio.create_task(self._ask(reader, up_writer, swallow, answering))
        try:
            await asyncio.wait({answering, asking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in (answering, asking):
                one.cancel()
            await asyncio.gather(answering, asking, return_exceptions=True)

    async def _ask(
        self,
        reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
        swallow: asyncio.Event,
        answering: asyncio.Task[None],
    ) -> None:
        while data := await reader.read(65_536):
            cut = self.choose() if _COMMIT.search(data) else None
            if cut is not None:
                self.cuts.append(cut)
            if cut is Cut.BEFORE:
                return
            if cut is Cut.AFTER:
                swallow.set()
            up_writer.write(data)
            await up_writer.drain()
            if cut is Cut.AFTER:
                await answering
            if cut is not None:
                return
