"""Which pages and which addresses may reach the server: Origin, Host and CORS.

A server on this computer has no login, so these two checks stand in for one. Without the check of
Host, a page could point its own name at 127.0.0.1 after it was loaded (DNS rebinding) and would
then be of the same origin as the server. CORS follows the Fetch standard, section 3.2.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from app.server.refusal import Refusal

if TYPE_CHECKING:
    from aiohttp import web
    from multidict import CIMultiDictProxy

    from app.server.parts import ServerOptions
    from app.server.whole_response import HeaderFields

    Headers: TypeAlias = CIMultiDictProxy[str]

LOOPBACK = "loopback"
ANY = "*"
METHODS = "GET, POST, OPTIONS"

_HEADER_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,1024}")


class OriginPolicy:
    """Answers which Host and Origin headers are let in, as the options say."""

    def __init__(self, options: ServerOptions) -> None:
        self._origins = frozenset(origin.rstrip("/").lower() for origin in options.allowed_origins)
        self._hosts = frozenset(host.rstrip(".").lower() for host in options.allowed_hosts)
        self._max_age = str(options.preflight_max_age)
        self._hosts_let_in: set[str] = set()

    def check_host(self, headers: Headers) -> None:
        """Refuses (403) a request whose Host header does not name this server.

        Any plain IP address passes: only names can be pointed somewhere else afterwards.
        """
        host = headers.get("Host", "")
        if host in self._hosts_let_in or ANY in self._hosts:
            return
        name = _host_name(host)
        if name in self._hosts or is_loopback(name) or _is_address(name):
            # Kept so that the next request costs a look-up; bounded, as clients choose the names.
            if len(self._hosts_let_in) < 100:
                self._hosts_let_in.add(host)
            return
        raise Refusal(
            403,
            "HOST_NOT_ALLOWED",
            "This host name is not served here. Allow it in the server's configuration"
            " (allowed hosts) if it should be.",
        )

    def check_origin(self, headers: Headers) -> HeaderFields:
        """Returns the CORS headers of the answer; refuses (403) pages that may not ask.

        No Origin header means no page of another site: nothing to check, nothing to add.
        """
        origin = headers.get("Origin")
        if origin is None:
            return ()
        if not self._allows(origin, headers.get("Host", "")):
            raise Refusal(
                403,
                "ORIGIN_NOT_ALLOWED",
                "Pages of this origin may not use this server. Allow the origin in the server's"
                " configuration (allowed origins) if they should.",
            )
        exposed = ("Access-Control-Expose-Headers", "X-Request-Id, Retry-After")
        if self._names(origin, headers.get("Host", "")):
            return (
                ("Access-Control-Allow-Origin", origin),
                ("Access-Control-Allow-Credentials", "true"),
                exposed,
            )
        return (("Access-Control-Allow-Origin", ANY), exposed)

    def preflight_headers(self, request: web.Request) -> dict[str, str]:
        """Returns what a preflight of an allowed origin is answered, beside its CORS headers."""
        headers = {"Access-Control-Allow-Methods": METHODS, "Access-Control-Max-Age": self._max_age}
        asked = request.headers.get("Access-Control-Request-Headers")
        # The origin is trusted to ask, so any header it means to send is; `*` would not do here,
        # since with credentials it is taken as a header of that name.
        if asked and _HEADER_NAMES.fullmatch(asked):
            headers["Access-Control-Allow-Headers"] = asked
        return headers

    def _allows(self, origin: str, host: str) -> bool:
        return ANY in self._origins or self._names(origin, host)

    def _names(self, origin: str, host: str) -> bool:
        """Answers whether an origin is allowed by itself and not just by `*`."""
        origin = origin.lower()
        if origin in self._origins:
            return True
        scheme, separator, authority = origin.partition("://")
        if not separator or scheme not in ("http", "https"):
            return False
        # Only authorities are compared: behind a proxy that ends TLS, the schemes differ.
        if authority == host.lower():
            return True
        return LOOPBACK in self._origins and is_loopback(_host_name(authority))


def is_loopback(name: str) -> bool:
    """Answers whether a host name or address always means this computer (RFC 6761, 6.3)."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _host_name(authority: str) -> str:
    """Returns the name of `name:port` or `[address]:port`, empty when it is not well-formed."""
    try:
        parts = urlsplit(f"//{authority}")
        if parts.username is not None or parts.netloc != authority:
            return ""
        return (parts.hostname or "").rstrip(".")
    except ValueError:
        return ""
