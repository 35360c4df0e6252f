"""GraphQL over WebSocket: the server side of the subprotocol `graphql-transport-ws`.

One task reads the client's messages; each operation runs in a task of its own. What is wrong with
one operation ends that operation with `error`; only a breach of the protocol ends the socket.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing, suppress
from typing import Any

from aiohttp import WSMsgType, web

from app.execution.document import Prepared
from app.execution.operation import OperationKind, Request, Response
from app.server.authentication import AuthenticationFailed
from app.server.exchange import Exchange
from app.server.lifecycle import SOCKET, Lifecycle
from app.server.parts import Authenticated, ServerParts
from app.server.refusal import INTERNAL_ERROR, Refusal, shutting_down
from app.server.request_log import milliseconds_since
from app.server.request_parsing import parse_parameters
from app.server.socket_messages import (
    SUBPROTOCOL,
    CloseCode,
    CloseSocket,
    Complete,
    ConnectionInit,
    Message,
    NextFrames,
    Ping,
    Subscribe,
    ack_frame,
    close_reason,
    complete_frame,
    error_frame,
    parse_message,
    pong_frame,
)
from app.server.socket_sender import UNLIMITED, SocketSender

_log = logging.getLogger("scrollback.server")


async def serve_socket(
    request: web.Request, exchange: Exchange, parts: ServerParts[Any], lifecycle: Lifecycle
) -> web.WebSocketResponse:
    """Upgrades the request and serves the socket until either side ends it."""
    options = parts.options
    socket = _Socket(
        protocols=(SUBPROTOCOL,),
        heartbeat=options.heartbeat,
        max_msg_size=options.body_limit,
        compress=False,
        autoclose=False,
        timeout=options.close_timeout,
        writer_limit=UNLIMITED,
    )
    for name, value in exchange.headers.items():
        socket.headers[name] = value
    if not socket.can_prepare(request):
        raise Refusal(400, "BAD_REQUEST", "This is not a WebSocket handshake (RFC 6455).")
    writer = await socket.prepare(request)
    sender = SocketSender(socket, request, writer, options.send_timeout)
    exchange.kind = "socket"
    await SocketSession(request, socket, sender, parts, lifecycle).serve()
    return socket


class _Socket(web.WebSocketResponse):
    """A WebSocket whose heartbeat can be stopped without saying goodbye."""

    @property
    def owes_goodbye(self) -> bool:
        """Whether the client's close frame has come and was not answered."""
        return self.close_code is not None and not self.closed

    def stop_heartbeat(self) -> None:
        """Stops what would keep a socket in memory until its next beat when its client is gone."""
        self._cancel_heartbeat()
        # Its traceback leads back here.
        self._exception = None


class SocketSession:
    """One open socket and the operations on it."""

    def __init__(
        self,
        request: web.Request,
        socket: _Socket,
        sender: SocketSender,
        parts: ServerParts[Any],
        lifecycle: Lifecycle,
    ) -> None:
        self._request = request
        self._socket = socket
        self._sender = sender
        self._parts = parts
        self._options = parts.options
        self._lifecycle = lifecycle
        self._authenticated: Authenticated[Any] | None = None
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # One clock for the whole conversation: first the time left for `connection_init`, then
        # until the credentials expire. Ending the socket from outside sets it to now.
        self._deadline = asyncio.timeout(self._options.connection_init_timeout)
        self._conversing = False
        self._stopping = False

    async def serve(self) -> None:
        """Converses until the end; then no operation of this socket is left running."""
        ending: CloseSocket | None = None
        with self._lifecycle.connection(SOCKET, self._stop):
            try:
                ending = await self._converse()
            finally:
                try:
                    await self._end_operations()
                    await self._close(ending)
                finally:
                    self._socket.stop_heartbeat()

    async def _converse(self) -> CloseSocket | None:
        """Returns why to close the socket, None when the client has left by itself."""
        if self._socket.ws_protocol != SUBPROTOCOL:
            return CloseSocket(
                CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE, f"Use the subprotocol {SUBPROTOCOL}."
            )
        try:
            async with self._deadline:
                self._conversing = True
                await self._read_messages()
        except CloseSocket as ending:
            return ending
        except ConnectionError:
            return None
        except TimeoutError:
            if not self._deadline.expired():
                raise
            return self._out_of_time()
        except Exception as error:  # noqa: BLE001 - reported in full; the client gets a code
            _log.error("socket failed", exc_info=error)
            return CloseSocket(CloseCode.INTERNAL_ERROR, "Internal error")
        finally:
            self._conversing = False
        return None

    def _out_of_time(self) -> CloseSocket:
        if self._stopping:
            return CloseSocket(CloseCode.SERVICE_RESTART, "The server is shutting down.")
        if self._authenticated is None:
            return CloseSocket(
                CloseCode.INITIALISATION_TIMEOUT, "Connection initialisation timeout"
            )
        return CloseSocket(CloseCode.FORBIDDEN, "The credentials have expired.")

    async def _read_messages(self) -> None:
        while True:
            message = await self._socket.receive()
            if message.type is WSMsgType.TEXT:
                await self._answer(parse_message(message.data, self._options.depth_limit))
                # A client that sends a thousand documents at once gets one turn in the loop for
                # each, as others do: neither receiving nor answering need ever wait.
                await asyncio.sleep(0)
            elif message.type is WSMsgType.BINARY:
                raise CloseSocket(CloseCode.BAD_MESSAGE, "Messages are text frames.")
            else:
                return

    async def _answer(self, message: Message) -> None:
        match message:
            case ConnectionInit():
                await self._initialise(message)
            case Subscribe():
                await self._subscribe(message)
            case Complete():
                await self._complete(message)
            case Ping():
                await self._sender.send(pong_frame(message.payload))

    async def _initialise(self, message: ConnectionInit) -> None:
        if self._authenticated is not None:
            raise CloseSocket(
                CloseCode.TOO_MANY_INITIALISATIONS, "Too many initialisation requests"
            )
        try:
            self._authenticated = await self._parts.authenticate(self._request, message.payload)
        except AuthenticationFailed as failure:
            raise CloseSocket(CloseCode.FORBIDDEN, str(failure)) from failure
        if not self._stopping:
            self._deadline.reschedule(_loop_time(self._authenticated.expires_at))
        await self._sender.send(ack_frame())

    async def _subscribe(self, message: Subscribe) -> None:
        if self._authenticated is None:
            raise CloseSocket(CloseCode.UNAUTHORIZED, "Unauthorized")
        if message.id in self._operations:
            raise CloseSocket(
                CloseCode.SUBSCRIBER_EXISTS, f"Subscriber for {message.id} already exists"
            )
        try:
            self._check_room()
            operation = parse_parameters(message.payload)
            prepared = self._parts.executor.prepare(operation)
        except Refusal as refusal:
            await self._sender.send(error_frame(message.id, [refusal.formatted_error()]))
            return
        if isinstance(prepared, Response):
            await self._sender.send(error_frame(message.id, prepared.errors))
            return
        task = asyncio.get_running_loop().create_task(
            self._run_operation(message.id, prepared, operation, self._authenticated)
        )
        self._operations[message.id] = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _check_room(self) -> None:
        """Refuses another operation while the server stops or the socket is full."""
        if self._lifecycle.draining:
            raise shutting_down()
        limit = self._options.operations_per_socket
        if len(self._operations) >= limit:
            raise Refusal(429, "LIMIT_EXCEEDED", f"A socket runs {limit} operations at a time.")

    async def _complete(self, message: Complete) -> None:
        task = self._operations.pop(message.id, None)
        if task is not None:
            task.cancel()
            # Once this returns, nothing of the operation is running: a client that starts and
            # completes in a loop can't pile up operations that are still unwinding.
            await asyncio.wait((task,))

    async def _run_operation(
        self, id_: str, prepared: Prepared, operation: Request, authenticated: Authenticated[Any]
    ) -> None:
        started = time.perf_counter()
        outcome = "completed"
        try:
            last_frame = await self._deliver(id_, prepared, operation, authenticated)
            self._forget(id_)
            await self._sender.send(last_frame)
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        except ConnectionError:
            outcome = "connection lost"
        except Exception as error:  # noqa: BLE001 - reported in full, masked for the client
            outcome = "failed"
            _log.error("operation failed", exc_info=error)
            self._forget(id_)
            # A client that is gone is noticed by the task that reads from it.
            with suppress(ConnectionError):
                await self._sender.send(error_frame(id_, [_INTERNAL_ERROR]))
        finally:
            self._forget(id_)
            _log.info(
                "operation",
                extra={
                    "kind": prepared.kind.value,
                    "operation": prepared.operation_name,
                    "outcome": outcome,
                    "duration_ms": milliseconds_since(started),
                },
            )

    async def _deliver(
        self, id_: str, prepared: Prepared, operation: Request, authenticated: Authenticated[Any]
    ) -> bytes:
        """Sends the results of an operation and returns the frame that ends it."""
        executor, sender = self._parts.executor, self._sender
        frames = NextFrames(id_)
        context = self._parts.open_context(authenticated.caller)
        if prepared.kind is OperationKind.SUBSCRIPTION:
            results = await executor.subscribe(
                prepared, operation, context, renew=context.renew, caller=authenticated.caller
            )
            if not isinstance(results, Response):
                results.stand_by(lambda response: sender.offer(frames.frame(response)))
                # Closes the source at once, also when sending is what fails.
                async with aclosing(results):
                    async for result in results:
                        sender.write(frames.frame(result))
                        if sender.is_full:
                            await sender.wait_until_drained()
                return complete_frame(id_)
            response = results
        elif prepared.kind is OperationKind.MUTATION:
            response = await self._lifecycle.run_to_end(
                executor.execute(prepared, operation, context)
            )
        else:
            response = await executor.execute(prepared, operation, context)
        if not response.executed:
            return error_frame(id_, response.errors)
        await sender.send(frames.frame(response))
        return complete_frame(id_)

    def _forget(self, id_: str) -> None:
        """Frees an operation's id, before its last frame goes out: the client may reuse it then."""
        if self._operations.get(id_) is asyncio.current_task():
            del self._operations[id_]

    async def _end_operations(self) -> None:
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks and self._socket.owes_goodbye:
            # The client waits for the answer to its close frame, but not for ever.
            _, tasks = await asyncio.wait(tasks, timeout=self._options.close_timeout)
            if tasks:
                await self._socket.close(drain=False)
        if tasks:
            await asyncio.wait(tasks)

    async def _close(self, ending: CloseSocket | None) -> None:
        if ending is not None and not self._socket.closed:
            # Not drained: the close frame waits behind whatever the client has not read, and
            # close() waits for its answer anyway, for a limited time.
            await self._socket.close(
                code=ending.code, message=close_reason(ending.reason), drain=False
            )
        if ending is None and self._socket.owes_goodbye:
            # Its operations have ended before.
            await self._socket.close(drain=False)
        await self._sender.close()
        if self._socket.close_code in (None, CloseCode.ABNORMAL):
            self._sender.abort()

    def _stop(self) -> None:
        """Ends the conversation from outside, as the server stops."""
        self._stopping = True
        if self._conversing:
            self._deadline.reschedule(asyncio.get_running_loop().time())


_INTERNAL_ERROR = {"message": "Internal error", "extensions": {"code": INTERNAL_ERROR}}


def _loop_time(expires_at: float | None) -> float | None:
    """Returns a moment of the wall clock as one of the event loop's clock."""
    if expires_at is None:
        return None
    return asyncio.get_running_loop().time() + expires_at - time.time()
