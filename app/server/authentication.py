"""Who is calling: the door through which every request and every socket passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from aiohttp import web

from app.server.parts import Authenticate, Authenticated

CallerT = TypeVar("CallerT")


class AuthenticationFailed(Exception):
    """The credentials are missing or wrong. The message is shown to the client."""


def authenticate_as(caller: CallerT) -> Authenticate[CallerT]:
    """Returns an authentication that takes everybody for `caller`.

    For a server that only its own computer can reach: the checks of Host and Origin are then
    what keeps other people's pages out.
    """
    authenticated = Authenticated(caller)

    async def authenticate(
        request: web.Request, parameters: Mapping[str, Any]
    ) -> Authenticated[CallerT]:
        return authenticated

    return authenticate
