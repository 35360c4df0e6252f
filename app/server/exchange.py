"""One HTTP request and its answer: its id, the headers every answer carries, what the log says."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from app.server.negotiation import MediaType, negotiate
from app.server.whole_response import (
    HeaderFields,
    WholeAnswer,
    common_head,
    whole_head,
    whole_response,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.server.origins import Headers
    from app.server.refusal import Refusal

_IDS = Random(SystemRandom().getrandbits(256))  # noqa: S311
"""Ids of requests are told apart by chance and are no secret."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")

_BASE_HEADERS: HeaderFields = (
    ("Server", "Scrollback"),
    ("X-Content-Type-Options", "nosniff"),
    # Answers hold private conversations, and a cache can't know who asks.
    ("Cache-Control", "no-store"),
    ("Vary", "Accept, Origin"),
)


@dataclass(slots=True)
class Exchange:
    """What is known of a request while it is answered.

    request_id: the client's own X-Request-Id where that is a plain token, else a new one.
    cors: the headers that let the page which asks read the answer.
    operation, kind, events: what ran, for the log; `events` counts the results of a stream.
    """

    request_id: str
    cors: HeaderFields = ()
    started: float = field(default_factory=time.perf_counter)
    operation: str | None = None
    kind: str | None = None
    events: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The headers carried by every answer to this request, refusals included."""
        return dict((*_BASE_HEADERS, *self.cors, ("X-Request-Id", self.request_id)))

    def respond(
        self,
        body: bytes,
        content_type: str,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> web.Response:
        """Returns the answer with the headers of this exchange."""
        own = {**self.headers, "Content-Type": content_type}
        if headers:
            own.update(headers)
        return web.Response(body=body, status=status, headers=own)

    def respond_json(
        self,
        request: web.Request,
        body: bytes,
        status: int = 200,
        media_type: MediaType = MediaType.JSON,
    ) -> web.StreamResponse:
        """Returns JSON in UTF-8 as the answer."""
        alike = _json_headers(media_type, self.cors)
        return whole_response(request, body, status, alike, (("X-Request-Id", self.request_id),))

    def answer_json(self, body: bytes, status: int, common: str) -> WholeAnswer:
        """Returns JSON as the answer on a connection of HTTP/1.1 that stays open.

        `common` is what `json_head` gives for the status.
        """
        head = whole_head(common, (("X-Request-Id", self.request_id),), len(body))
        return WholeAnswer(status, head, body)

    def refuse(self, request: web.Request, refusal: Refusal) -> web.Response:
        """Returns a refusal, in the JSON type that the client likes best."""
        media_type = negotiate(accept_header(request.headers)).json or MediaType.JSON
        return self.respond(
            orjson.dumps({"errors": [refusal.formatted_error()]}),
            _CONTENT_TYPES[media_type],
            refusal.status,
            refusal.headers,
        )


EXCHANGE = web.RequestKey("exchange", Exchange)

_CONTENT_TYPES = {
    MediaType.JSON: "application/json; charset=utf-8",
    MediaType.RESPONSE_JSON: "application/graphql-response+json; charset=utf-8",
}
_JSON_HEADERS: dict[MediaType, HeaderFields] = {
    media_type: (*_BASE_HEADERS, ("Content-Type", content_type))
    for media_type, content_type in _CONTENT_TYPES.items()
}


def json_head(status: int, media_type: MediaType, cors: HeaderFields) -> str:
    """Returns how the head of an answer in JSON begins, whatever is in it."""
    return common_head(status, _json_headers(media_type, cors))


def _json_headers(media_type: MediaType, cors: HeaderFields) -> HeaderFields:
    alike = _JSON_HEADERS[media_type]
    return (*alike, *cors) if cors else alike


def open_exchange(request: web.Request) -> Exchange:
    """Begins the exchange of a request; `request[EXCHANGE]` is it from here on."""
    given = request.headers.get("X-Request-Id")
    exchange = Exchange(given if given and _REQUEST_ID.fullmatch(given) else new_request_id())
    request[EXCHANGE] = exchange
    return exchange


def new_request_id() -> str:
    """Returns the id of a request whose client has none for it."""
    return f"{_IDS.getrandbits(64):016x}"


def accept_header(headers: Headers) -> str:
    """Returns the Accept header of a request, its repetitions joined; empty when there is none."""
    return ", ".join(headers.getall("Accept", ()))
