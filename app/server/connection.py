"""A client's connection: aiohttp's, and a short way for requests whose head came before.

aiohttp parses a request, wakes the connection's task, starts one for the request, looks for its
route, and goes back by as many steps, which costs more than most operations. Where a request comes
in one piece, its head is known (`known_heads`) and no other one is under way, its operation is run
at once instead. Everything else, the first request with any head included, takes aiohttp's way.

What is relied on of aiohttp's `RequestHandler` beside its interface, and is held by tests: its task
waits on `_waiter` while there is no request in `_messages`; `_request_in_progress` and
`_handler_waiter` let a shutdown wait; `_next_keepalive_close_time` and `_keepalive_handle` close
what is idle.
"""

from __future__ import annotations

import sys
from asyncio import Future, Task
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.http_writer import SKIP_WRITELINES, StreamWriter
from aiohttp.streams import EMPTY_PAYLOAD

from app.server.known_heads import KnownHead, KnownHeads
from app.server.observing import AnswerKnown
from app.server.whole_response import WholeAnswer

_END_OF_HEAD = b"\r\n\r\n"
_BODY_BY_LENGTH = frozenset({"GET", "POST", "OPTIONS"})
_MOST_DIGITS = 20
_LOST = -1


@dataclass(frozen=True, slots=True)
class ShortWay:
    """The requests that need not take aiohttp's way, and what answers them.

    `answer` is given the request without its body, what is known of its head, and its body. It
    raises nothing but its own cancellation. `may_be_given_up` tells whether its task may be
    cancelled because the client has left. `match_info` is what aiohttp's router finds for all of
    them.
    """

    heads: KnownHeads
    answer: AnswerKnown
    may_be_given_up: Callable[[Task[Any]], bool]
    match_info: web.UrlMappingMatchInfo


class Connection(web.RequestHandler):
    """One connection of the server."""

    __slots__ = ("_answering", "_held", "_left", "_short_way")

    def __init__(self, server: web.Server, short_way: ShortWay, **options: Any) -> None:
        """Takes the options of aiohttp's `RequestHandler`."""
        super().__init__(server, **options)
        self._short_way = short_way
        self._answering: Task[None] | None = None
        self._held = b""
        # Bytes to come until the next request begins; _LOST where that can't be told.
        self._left = 0

    def data_received(self, data: bytes) -> None:
        """Takes what has come in."""
        if self._held and data:
            data, self._held = self._held + data, b""
        self._receive(data, may_hold=True)

    def _receive(self, data: bytes, *, may_hold: bool) -> None:
        if self._left or not data:
            super().data_received(data)
            if self._left > 0:
                self._left = max(self._left - len(data), _LOST)
            return
        end = data.find(_END_OF_HEAD) + len(_END_OF_HEAD)
        head = data[:end]
        known = self._short_way.heads.find(head)
        if known is not None and len(data) == end + known.length:
            waiter = self._waiter
            if waiter is not None and not waiter.done():
                self._waiter = None
                self._request_in_progress = True
                self._answering = self._loop.create_task(self._answer(known, data[end:], waiter))
                return
            if may_hold and waiter is None and not (self._request_in_progress or self._messages):
                # An answer is out, and aiohttp's task will wait in this turn of the event loop.
                self._held = data
                self._loop.call_soon(self._receive_held)
                return
        before = len(self._messages)
        super().data_received(data)
        self._left = self._follow(head, len(data), before)

    def _receive_held(self) -> None:
        data, self._held = self._held, b""
        self._receive(data, may_hold=False)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Ends what nobody waits for any more."""
        super().connection_lost(exc)
        # A WebSocket, and all it holds, would refer to itself through its connection.
        self._data_received_cb = None
        # So would a connection through the bodies of requests that nobody has taken.
        self._messages.clear()
        answering = self._answering
        if answering is not None and self._short_way.may_be_given_up(answering):
            answering.cancel()

    def _follow(self, head: bytes, received: int, before: int) -> int:
        """Returns how much is left of the request that began with what was just parsed."""
        if len(self._messages) != before + 1:
            return _LOST
        message = self._messages[-1][0]
        if (
            not isinstance(message, RawRequestMessage)
            or message.upgrade
            or message.chunked
            or message.method not in _BODY_BY_LENGTH
            or "Transfer-Encoding" in message.headers
            # The parser takes any number of noughts in front, and int() does not.
            or len(message.headers.get("Content-Length", "")) > _MOST_DIGITS
            # The parser skips empty lines in front.
            or not head.startswith(message.method.encode())
        ):
            return _LOST
        self._short_way.heads.learn(head, message)
        left = len(head) + int(message.headers.get("Content-Length", 0)) - received
        return max(left, _LOST)

    async def _answer(self, known: KnownHead, body: bytes, waiter: Future[None]) -> None:
        try:
            request = self._request(known)
            try:
                answer = await self._short_way.answer(request, known, body)
            finally:
                # A task that is cancelled would refer to itself through its frames.
                request._task = None  # type: ignore[assignment]
            if isinstance(answer, web.StreamResponse):
                await answer.prepare(request)
                await answer.write_eof()
            else:
                self._write(answer)
                if self.writing_paused:
                    await self._drain_helper()
        except ConnectionError:
            self.force_close()
        except BaseException:
            self.force_close()
            raise
        finally:
            self._rest(waiter)

    def _request(self, known: KnownHead) -> web.Request:
        task: Any = self._answering
        writer = StreamWriter(self, self._loop)
        request = web.Request(
            known.message,
            EMPTY_PAYLOAD,
            self,
            writer,
            task,
            self._loop,
            client_max_size=known.length,
        )
        request._match_info = self._short_way.match_info
        return request

    def _rest(self, waiter: Future[None]) -> None:
        """Waits for the next request as aiohttp does: its own task goes on waiting."""
        self._answering = None
        self._request_in_progress = False
        if self._handler_waiter is not None:
            self._handler_waiter.set_result(None)
        if waiter.done():
            return
        self._waiter = waiter
        if self._force_close or self._close:
            waiter.cancel()
            if self.transport is not None:
                self.transport.close()
        elif self._messages:
            waiter.set_result(None)
        else:
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
            if self._keepalive_handle is None:
                self._keepalive_handle = self._loop.call_at(
                    self._next_keepalive_close_time, self._process_keepalive
                )

    def _write(self, answer: WholeAnswer) -> None:
        transport = self.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has left")
        if _NEVER_PAUSES or len(answer.body) < _WORTH_APART:
            transport.write(answer.head + answer.body)
        else:
            transport.writelines((answer.head, answer.body))


_NEVER_PAUSES = SKIP_WRITELINES and sys.version_info >= (3, 12)
"""Whether pieces that asyncio's own loop writes pile up for a client that does not read."""

_WORTH_APART = 4096
"""Bytes of a body from which on a copy of it costs more than writing two pieces."""
