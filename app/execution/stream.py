"""The stream of responses that a subscription gives."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
)
from types import TracebackType
from typing import Any

from app.execution.given_up import is_given_up
from app.execution.operation import Response
from app.execution.running import AbandonedError
from app.execution.sharing import Audience, SharingSource, Standby, Write


class ResponseStream(AsyncGenerator[Response, None]):
    """Runs the operation on each event of a source.

    An exception in the source becomes one last response. Unlike an async generator function, this
    closes its source even when it is closed before its first response was asked for.
    """

    def __init__(
        self,
        source: AsyncIterable[object],
        *,
        respond: Callable[[object], Awaitable[Response]],
        respond_to_failure: Callable[[Exception], Response],
        report_failure: Callable[[Exception], None],
        closed: Callable[[], None] = lambda: None,
        audience: Audience | None = None,
    ) -> None:
        """Takes the source and what to do with its events and failures.

        `closed` is called once, when the source has ended or the stream is closed. `audience` are
        those whose responses are the same.
        """
        self._source: AsyncIterator[object] = aiter(source)
        self._respond = respond
        self._respond_to_failure = respond_to_failure
        self._report_failure = report_failure
        self._closed = closed
        self._audience = audience
        self._finished = False

    def stand_by(self, write: Write) -> None:
        """Lets a response that another of the audience has be given to `write`.

        That happens while the next response is waited for, and only where the source can do it;
        what `write` does not take comes out of the stream, in its place. Called before the first
        response is asked for.
        """
        if self._audience is not None and isinstance(self._source, SharingSource):
            self._source.stand_by(Standby(self._audience, write))

    def __anext__(self) -> Coroutine[Any, Any, Response]:
        """Returns the next response, as `asend` does."""
        return self.asend(None)

    async def asend(self, value: None) -> Response:
        """Waits for the next event and returns the response to it.

        Raises StopAsyncIteration when the source has ended or the stream was closed.
        """
        if self._finished:
            raise StopAsyncIteration
        try:
            event = await self._source.__anext__()
        except StopAsyncIteration:
            await self.aclose()
            raise
        except asyncio.CancelledError as error:
            if is_given_up():
                raise
            await self.aclose()
            failure = AbandonedError("The source of a subscription awaited what was cancelled.")
            failure.__cause__ = error
            return self._respond_to_failure(failure)
        except Exception as error:  # noqa: BLE001 - shown or reported by the response
            await self.aclose()
            return self._respond_to_failure(error)
        return await self._respond(event)

    async def athrow(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
    ) -> Response:
        """Closes the stream and raises what was thrown in."""
        await self.aclose()
        error = typ() if isinstance(typ, type) and val is None else val or typ
        if not isinstance(error, BaseException):
            raise TypeError("Only an exception can be thrown into a stream.")
        raise error.with_traceback(tb)

    async def aclose(self) -> None:
        """Ends the stream and closes its source; more than once does nothing more."""
        if self._finished:
            return
        self._finished = True
        self._closed()
        close: Any = getattr(self._source, "aclose", None)
        if close is None:
            return
        try:
            await close()
        except Exception as error:  # noqa: BLE001 - nobody waits for this stream any more
            self._report_failure(error)
