"""What the server is put together from: the parts that wiring hands in, and its options."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from aiohttp import web

from app.execution.executor import Executor

CallerT = TypeVar("CallerT")


@dataclass(frozen=True, slots=True)
class Authenticated(Generic[CallerT]):
    """Who is calling, and until when that holds.

    `expires_at` is in seconds since the epoch; None means that it does not end. A socket or an
    event stream is ended at that moment; a single request is not.
    """

    caller: CallerT
    expires_at: float | None = None


Authenticate: TypeAlias = Callable[
    [web.Request, Mapping[str, Any]], Awaitable[Authenticated[CallerT]]
]
"""Answers who calls, from the HTTP request and, on a WebSocket, the payload of `connection_init`.

The mapping is empty for plain HTTP and where the client sent no payload. Raises
`app.server.authentication.AuthenticationFailed` when the credentials are missing or wrong.
"""


class OperationContext(Protocol):
    """The context value of one operation, which the resolvers receive."""

    def renew(self) -> None:
        """Forgets what was loaded, so that the next event of a subscription reads anew."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the store can serve. `detail` is shown to whoever asks: no internals in it."""

    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The numbers and policies of the server. Times are in seconds, sizes in bytes.

    allowed_origins: exact origins (`https://chat.example`), the word `loopback` for any page
        served from this computer, or `*` for every origin (then without credentials). A page
        served from the address of the request itself is always allowed.
    allowed_hosts: names that the Host header may carry beside loopback names and plain IP
        addresses; `*` switches the check off.
    body_limit: largest body of a request and largest WebSocket message.
    url_limit: longest URL of a GET.
    body_timeout: how long a client may take to send its body.
    depth_limit: deepest nesting of lists and objects in the JSON of a request.
    connection_init_timeout: how long a socket may stay without `connection_init`.
    heartbeat: interval of WebSocket pings, and of comments on an idle event stream.
    send_timeout: how long a client may leave sent data unread before its connection is cut.
    close_timeout: how long a closed socket waits for the client's own close frame.
    operations_per_socket: operations running at the same time on one socket.
    drain_timeout: how long running operations may take to finish when the server stops.
    preflight_max_age: how long a browser may remember a CORS preflight.
    ready_timeout: how long the store may take to say that it is ready.
    """

    path: str = "/graphql"
    graphiql: bool = True
    allowed_origins: tuple[str, ...] = ("loopback",)
    allowed_hosts: tuple[str, ...] = ()
    body_limit: int = 1024 * 1024
    url_limit: int = 16 * 1024
    body_timeout: float = 30.0
    depth_limit: int = 100
    connection_init_timeout: float = 10.0
    heartbeat: float = 15.0
    send_timeout: float = 10.0
    close_timeout: float = 2.0
    operations_per_socket: int = 20
    drain_timeout: float = 10.0
    preflight_max_age: int = 7200
    ready_timeout: float = 5.0


@dataclass(frozen=True, slots=True)
class ServerParts(Generic[CallerT]):
    """Everything the server needs from outside.

    open_context: makes the context of one operation; called once for each operation.
    ready: asked by `/readyz`.
    """

    executor: Executor
    open_context: Callable[[CallerT], OperationContext]
    authenticate: Authenticate[CallerT]
    ready: Callable[[], Awaitable[Readiness]]
    options: ServerOptions = field(default_factory=ServerOptions)
