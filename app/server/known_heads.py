"""Heads of requests that came before, byte for byte, and what was decided on them then.

A client repeats itself: its requests differ in their bodies, and the request line and the headers
are the same each time. What follows from these alone (what was asked for, who may, what the answer
is to look like) is found out once, by aiohttp's parser and the same rules as ever, and remembered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import HttpVersion11

from app.server.exchange import accept_header, json_head
from app.server.negotiation import Acceptable, MediaType, negotiate
from app.server.refusal import Refusal
from app.server.request_parsing import check_content_type

if TYPE_CHECKING:
    from aiohttp.http_parser import RawRequestMessage

    from app.server.origins import OriginPolicy
    from app.server.parts import ServerOptions
    from app.server.whole_response import HeaderFields

MOST_HEADS = 256
LONGEST_HEAD = 2048
"""Bytes. What is remembered is bounded, as clients choose it: with what was parsed of heads of many
short headers, five megabytes."""

_OF_THEIR_OWN = ("Expect", "Transfer-Encoding", "Upgrade", "X-Request-Id")
"""Headers that ask for more than an answer, or are another one each time."""


@dataclass(frozen=True, slots=True)
class KnownHead:
    """The head of a POST to the API, with nothing left to refuse in it.

    length: the bytes of the body that follows.
    cors: the headers that let the page which asks read the answer.
    acceptable: what the client accepts, no event stream among it.
    media_type: the answer's.
    head_of_200: how the head of an answer with that status begins.
    """

    message: RawRequestMessage
    length: int
    cors: HeaderFields
    acceptable: Acceptable
    media_type: MediaType
    head_of_200: str


class KnownHeads:
    """The heads known now; all are forgotten when they become too many."""

    def __init__(self, options: ServerOptions, origins: OriginPolicy) -> None:
        self._path = options.path
        self._body_limit = options.body_limit
        self._origins = origins
        self._heads: dict[bytes, KnownHead] = {}

    def find(self, head: bytes) -> KnownHead | None:
        """Returns what is known of a head, which ends with the empty line."""
        return self._heads.get(head)

    def learn(self, head: bytes, message: RawRequestMessage) -> None:
        """Remembers a head as parsed, if all that is left of its request is to run an operation."""
        if len(head) > LONGEST_HEAD:
            return
        known = self._examine(message)
        if known is not None:
            if len(self._heads) >= MOST_HEADS:
                self._heads.clear()
            self._heads[head] = known

    def _examine(self, message: RawRequestMessage) -> KnownHead | None:
        headers = message.headers
        length = int(headers.get("Content-Length", 0))
        if (
            message.method != "POST"
            or message.path != self._path
            or message.version != HttpVersion11
            or message.should_close
            or message.compression is not None
            or not 0 < length <= self._body_limit
            or any(name in headers for name in _OF_THEIR_OWN)
        ):
            return None
        acceptable = negotiate(accept_header(headers))
        if acceptable.json is None or acceptable.event_stream:
            return None
        try:
            self._origins.check_host(headers)
            cors = self._origins.check_origin(headers)
            check_content_type(headers.get("Content-Type", ""))
        except Refusal:
            # Refused by whoever answers the request.
            return None
        head_of_200 = json_head(200, acceptable.json, cors)
        return KnownHead(message, length, cors, acceptable, acceptable.json, head_of_200)
