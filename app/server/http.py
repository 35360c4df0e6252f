"""GraphQL over HTTP: one POST or GET is one operation.

Follows the GraphQL over HTTP specification (status codes and media types in its section 6), with
`graphql-sse` event streams for subscriptions.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from typing import Any

import orjson
from aiohttp import web
from aiohttp.http_exceptions import ContentEncodingError

from app.execution.document import Prepared
from app.execution.operation import OperationKind, Request, Response
from app.server.authentication import AuthenticationFailed
from app.server.event_stream import send_response, stream_subscription
from app.server.exchange import EXCHANGE, Exchange, accept_header, json_head
from app.server.graphiql_page import GraphiqlPage
from app.server.known_heads import KnownHead
from app.server.lifecycle import Lifecycle
from app.server.negotiation import Acceptable, MediaType, negotiate
from app.server.origins import METHODS, OriginPolicy
from app.server.parts import Authenticated, ServerParts
from app.server.refusal import Refusal, bad_request, shutting_down
from app.server.request_parsing import check_content_type, parse_body, parse_query_string
from app.server.websocket import serve_socket
from app.server.whole_response import WholeAnswer


class GraphQLEndpoint:
    """The handler of the one GraphQL path."""

    def __init__(
        self,
        parts: ServerParts[Any],
        lifecycle: Lifecycle,
        origins: OriginPolicy,
        page: GraphiqlPage | None,
    ) -> None:
        self._parts = parts
        self._options = parts.options
        self._lifecycle = lifecycle
        self._origins = origins
        self._page = page

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answers any method. Raises Refusal for whatever is not an operation to run."""
        exchange = request[EXCHANGE]
        exchange.cors = self._origins.check_origin(request.headers)
        method = request.method
        if method == "GET":
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._open_socket(request, exchange)
            if self._page is not None and negotiate(accept_header(request.headers)).page:
                return self._page.respond(exchange)
        elif method != "POST":
            return self._answer_other(request, exchange)
        acceptable = self._negotiate(request)
        if method == "POST":
            check_content_type(request.headers.get("Content-Type", ""))
        else:
            self._check_url(request)
        authenticated = await self._admit(request)
        if method == "GET":
            operation = parse_query_string(request.query, self._options.depth_limit)
        else:
            body = self._body_at_hand(request)
            if body is None:
                body = await self._read_body(request)
            operation = parse_body(body, self._options.depth_limit)
        results = await self._run(
            method, exchange, operation, acceptable, authenticated, self._lifecycle.run_to_end
        )
        if not isinstance(results, Response):
            return await stream_subscription(
                request, exchange, results, self._options, self._lifecycle, authenticated
            )
        if acceptable.json is None:
            return await send_response(request, exchange, results, self._options)
        status, encoded = _as_json(results, acceptable.json)
        return exchange.respond_json(request, encoded, status, acceptable.json)

    async def answer_known(
        self, request: web.Request, known: KnownHead, body: bytes, exchange: Exchange
    ) -> WholeAnswer:
        """Answers a POST of which nothing is left to be looked at but its body. Raises Refusal."""
        authenticated = await self._admit(request)
        operation = parse_body(body, self._options.depth_limit)
        response = await self._run(
            "POST",
            exchange,
            operation,
            known.acceptable,
            authenticated,
            self._lifecycle.run_here_to_end,
        )
        if not isinstance(response, Response):
            raise TypeError("an event stream was begun that the client does not accept")
        status, encoded = _as_json(response, known.media_type)
        common = (
            known.head_of_200 if status == 200 else json_head(status, known.media_type, known.cors)
        )
        return exchange.answer_json(encoded, status, common)

    async def _admit(self, request: web.Request) -> Authenticated[Any]:
        """Returns who calls. Raises Refusal while the server stops, or for wrong credentials."""
        if self._lifecycle.draining:
            raise shutting_down()
        try:
            return await self._parts.authenticate(request, {})
        except AuthenticationFailed as failure:
            raise Refusal(
                401, "UNAUTHENTICATED", str(failure), {"WWW-Authenticate": "Bearer"}
            ) from failure

    async def _run(
        self,
        method: str,
        exchange: Exchange,
        operation: Request,
        acceptable: Acceptable,
        authenticated: Authenticated[Any],
        run_to_end: Callable[[Coroutine[Any, Any, Response]], Awaitable[Response]],
    ) -> Response | AsyncGenerator[Response]:
        """Runs an operation; returns its response, or those of a subscription that has begun.

        `run_to_end` is what a mutation is run by: it goes on when its client leaves.
        """
        executor = self._parts.executor
        prepared = executor.prepare(operation)
        if isinstance(prepared, Response):
            return prepared
        exchange.kind = prepared.kind.value
        exchange.operation = prepared.operation_name
        _check_transport(method, prepared, acceptable)
        context = self._parts.open_context(authenticated.caller)
        if prepared.kind is OperationKind.QUERY:
            return await executor.execute(prepared, operation, context)
        if prepared.kind is OperationKind.MUTATION:
            return await run_to_end(executor.execute(prepared, operation, context))
        return await executor.subscribe(
            prepared, operation, context, renew=context.renew, caller=authenticated.caller
        )

    def _answer_other(self, request: web.Request, exchange: Exchange) -> web.Response:
        """Answers a preflight; refuses all that is neither that nor a GET or a POST."""
        if request.method != "OPTIONS":
            raise Refusal(
                405, "METHOD_NOT_ALLOWED", "Send GraphQL by POST or GET.", {"Allow": METHODS}
            )
        headers = {"Allow": METHODS, **self._origins.preflight_headers(request)}
        return web.Response(status=204, headers={**exchange.headers, **headers})

    async def _open_socket(self, request: web.Request, exchange: Exchange) -> web.StreamResponse:
        if self._lifecycle.draining:
            raise shutting_down()
        return await serve_socket(request, exchange, self._parts, self._lifecycle)

    def _negotiate(self, request: web.Request) -> Acceptable:
        acceptable = negotiate(accept_header(request.headers))
        if acceptable.json is None and not acceptable.event_stream:
            raise Refusal(
                406,
                "NOT_ACCEPTABLE",
                "Answers come as application/graphql-response+json, application/json or"
                " text/event-stream: name one of them in the Accept header.",
            )
        return acceptable

    def _check_url(self, request: web.Request) -> None:
        if len(request.raw_path) > self._options.url_limit:
            raise Refusal(
                414,
                "URI_TOO_LONG",
                f"The URL is longer than {self._options.url_limit} bytes. Send it by POST.",
            )

    def _body_at_hand(self, request: web.Request) -> bytes | None:
        """Returns the body where it came with the headers, as small ones do."""
        limit = self._options.body_limit
        try:
            announced = request.content_length
        except ValueError as error:
            raise bad_request("The body's length has more digits than are read.") from error
        if announced is not None and announced > limit:
            raise self._too_large()
        content = request.content
        if not content.is_eof():
            return None
        try:
            body = content.read_nowait()
        except _UNREADABLE as error:
            raise _unreadable() from error
        if len(body) > limit:
            raise self._too_large()
        return body

    async def _read_body(self, request: web.Request) -> bytes:
        try:
            async with asyncio.timeout(self._options.body_timeout):
                return await request.read()
        except web.HTTPRequestEntityTooLarge:
            raise self._too_large() from None
        except _UNREADABLE as error:
            raise _unreadable() from error
        except TimeoutError:
            raise Refusal(408, "REQUEST_TIMEOUT", "The body did not arrive in time.") from None

    def _too_large(self) -> Refusal:
        limit = self._options.body_limit
        return Refusal(413, "PAYLOAD_TOO_LARGE", f"The body is larger than {limit} bytes.")


_UNREADABLE = (web.RequestPayloadError, ContentEncodingError)


def _unreadable() -> Refusal:
    return bad_request("The body can't be read: it is not encoded as its headers say.")


def _as_json(response: Response, media_type: MediaType) -> tuple[int, bytes]:
    """Returns the status and the body that a response is answered with."""
    if media_type is MediaType.RESPONSE_JSON and _is_request_error(response):
        shown = response.formatted()
        shown.pop("data", None)
        # What began and was stopped is not the client's fault, and may be tried again.
        return (504 if response.executed else 400), orjson.dumps(shown)
    # For application/json the specification wants 200 even where nothing was executed.
    return 200, response.encoded()


def _is_request_error(response: Response) -> bool:
    """Answers whether a response says that the operation as a whole did not run.

    Null data without the path of a field that caused it is such a response too.
    """
    if not response.executed:
        return True
    return response.data is None and not any(error.get("path") for error in response.errors)


def _check_transport(method: str, prepared: Prepared, acceptable: Acceptable) -> None:
    """Refuses kinds of operation that this request can't carry, before anything runs."""
    if prepared.kind is OperationKind.MUTATION and method == "GET":
        # A link or an image must not change anything, whoever follows it.
        raise Refusal(405, "METHOD_NOT_ALLOWED", "Mutations are sent by POST.", {"Allow": "POST"})
    if prepared.kind is OperationKind.SUBSCRIPTION and not acceptable.event_stream:
        raise Refusal(
            400,
            "SUBSCRIPTION_TRANSPORT_REQUIRED",
            "A subscription has more than one result. Open a WebSocket here with the subprotocol"
            " graphql-transport-ws, or accept text/event-stream.",
        )
