"""Bytes and query strings into a `Request`, or a refusal that says what is wrong.

The parameters are those of the GraphQL over HTTP specification, section 5: `query`, `variables`,
`operationName`, `extensions`. Parameters it does not name are ignored, as it asks.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson

from app.execution.operation import Request
from app.server.refusal import Refusal, bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from multidict import MultiMapping

_DIGITS_AS_NOUGHT = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))
_MANY_DIGITS = b"0" * 19


def check_content_type(header: str) -> None:
    """Lets `application/json` in UTF-8 pass and refuses all else with 415.

    Forms and plain text are what a page of any origin can post without a preflight, so taking
    them would let any page run mutations here.
    """
    if header == "application/json":
        return
    media_type, *parameters = header.split(";")
    if media_type.strip().lower() != "application/json":
        raise Refusal(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "Send the request as JSON, with the header Content-Type: application/json.",
        )
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        charset = value.strip().strip('"').lower()
        if name.strip().lower() == "charset" and charset not in ("utf-8", "utf8"):
            raise Refusal(415, "UNSUPPORTED_MEDIA_TYPE", "Send the request's JSON in UTF-8.")


def parse_body(body: bytes, depth_limit: int) -> Request:
    """Returns the request in a POST body. Raises Refusal (400) when it is not well-formed."""
    if not body:
        raise bad_request("The request has no body. Send a JSON object with a `query`.")
    return parse_parameters(parse_json(body, depth_limit, "The body"))


def parse_query_string(query: MultiMapping[str], depth_limit: int) -> Request:
    """Returns the request in the parameters of a GET. Raises Refusal (400)."""
    parameters: dict[str, Any] = {}
    for name in ("query", "operationName", "variables", "extensions"):
        values = query.getall(name, ())
        if len(values) > 1:
            raise bad_request(f"`{name}` is given more than once.")
        if values:
            parameters[name] = values[0]
    for name in ("variables", "extensions"):
        if parameters.get(name):
            text: str = parameters[name]
            parameters[name] = parse_json(text.encode(), depth_limit, f"`{name}`")
        else:
            parameters.pop(name, None)
    return parse_parameters(parameters)


def parse_json(text: bytes | str, depth_limit: int, what: str) -> Any:
    """Returns the value of a JSON text; `what` names it in the refusal.

    The parser takes strict JSON in UTF-8 only: no NaN or Infinity, no lone surrogates.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise bad_request(
            f"{what} is not valid JSON in UTF-8 (line {error.lineno}, column {error.colno})."
        ) from error
    check_depth(value, text, depth_limit, what)
    check_integers(text, what)
    return value


def check_depth(value: Any, text: bytes | str, limit: int, what: str) -> None:
    """Refuses JSON nested deeper than `limit`.

    What comes in as JSON goes out again inside a response, and the writer of JSON stops at 254
    levels: unchecked, one client could store what no client can read.
    """
    brackets = (
        text.count(b"[") + text.count(b"{")
        if isinstance(text, bytes)
        else text.count("[") + text.count("{")
    )
    if brackets <= limit:
        return
    level = [value]
    for _ in range(limit + 1):
        level = [
            child
            for container in level
            if isinstance(container, dict | list)
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise bad_request(f"{what} is nested deeper than {limit} levels.")


def check_integers(text: bytes | str, what: str) -> None:
    """Refuses integers beyond 64 bits, which the parser would silently round to a float."""
    encoded = text if isinstance(text, bytes) else text.encode()
    # A thirteenth of what a regular expression costs, and every request is searched.
    if _MANY_DIGITS not in encoded.translate(_DIGITS_AS_NOUGHT):
        return

    def check(digits: str) -> None:
        # The length first: int() is slow on thousands of digits.
        if len(digits) > 20 or not -(2**63) <= int(digits) < 2**64:
            raise bad_request(f"{what} has an integer beyond 64 bits. Send it as a string.")

    # The digits may well stand inside a string; a slower parser tells.
    json.loads(text, parse_int=check)


def parse_parameters(parameters: Any) -> Request:
    """Returns the request in a decoded JSON value, its types checked. Raises Refusal (400)."""
    if not isinstance(parameters, dict):
        if isinstance(parameters, list):
            raise bad_request("Batching is off: send one request at a time, as a JSON object.")
        raise bad_request("The request is not a JSON object.")
    query = parameters.get("query")
    if query is None:
        raise bad_request("The parameter `query` is missing.")
    if not isinstance(query, str):
        raise bad_request("`query` is not a string.")
    if not query.strip():
        raise bad_request("`query` is empty.")
    operation_name = parameters.get("operationName")
    if operation_name is not None and not isinstance(operation_name, str):
        raise bad_request("`operationName` is not a string.")
    variables = _object(parameters, "variables")
    _object(parameters, "extensions")
    # Some clients send an empty name for an unnamed operation; no operation can have that name.
    return Request(query=query, variables=variables, operation_name=operation_name or None)


def _object(parameters: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    value = parameters.get(name)
    if value is not None and not isinstance(value, dict):
        raise bad_request(f"`{name}` is not a JSON object.")
    return value
