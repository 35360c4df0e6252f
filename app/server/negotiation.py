"""Which media type a client gets: content negotiation over the Accept header.

Rules: RFC 9110 section 12.5.1 (quality values, the most specific range wins) and the GraphQL over
HTTP specification, section 6.1 (no Accept header, or `*/*`, means `application/json`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class MediaType(StrEnum):
    """What a GraphQL operation can be answered as."""

    JSON = "application/json"
    RESPONSE_JSON = "application/graphql-response+json"
    EVENT_STREAM = "text/event-stream"
    HTML = "text/html"


@dataclass(frozen=True, slots=True)
class Acceptable:
    """What a client accepts of what there is.

    json: the JSON type it likes best, None when it takes neither.
    event_stream: it names `text/event-stream`; a wildcard does not ask for a stream.
    page: it would rather have a page than JSON, as a browser's address bar does.
    """

    json: MediaType | None
    event_stream: bool
    page: bool


@lru_cache(maxsize=256)
def negotiate(accept: str) -> Acceptable:
    """Returns what a client with this Accept header can be sent; an empty header accepts all."""
    ranges = _parse_ranges(accept) or [("*", "*", 1.0)]
    json = _match(ranges, MediaType.JSON)
    response_json = _match(ranges, MediaType.RESPONSE_JSON)
    event_stream = _match(ranges, MediaType.EVENT_STREAM)
    html = _match(ranges, MediaType.HTML)
    # Of two that are wanted alike, the specification's own type wins where it is named, and
    # plain JSON where only a wildcard covers it.
    best_type, best = MediaType.JSON, json
    if response_json > json or (response_json == json and response_json[1] == _EXACT):
        best_type, best = MediaType.RESPONSE_JSON, response_json
    return Acceptable(
        json=best_type if best[0] > 0 else None,
        event_stream=event_stream[0] > 0 and event_stream[1] == _EXACT,
        page=html[0] > 0 and html[1] > _ANY and html > best,
    )


_ANY, _TYPE, _EXACT = 0, 1, 2


def _match(ranges: list[tuple[str, str, float]], media_type: MediaType) -> tuple[float, int]:
    """Returns the quality of a type, and how specific the range is that decides it."""
    main, _, sub = media_type.partition("/")
    quality, specificity = 0.0, -1
    for range_main, range_sub, range_quality in ranges:
        if (range_main, range_sub) == (main, sub):
            found = _EXACT
        elif (range_main, range_sub) == (main, "*"):
            found = _TYPE
        elif (range_main, range_sub) == ("*", "*"):
            found = _ANY
        else:
            continue
        if found > specificity:
            quality, specificity = range_quality, found
        elif found == specificity:
            quality = max(quality, range_quality)
    return quality, specificity


def _parse_ranges(accept: str) -> list[tuple[str, str, float]]:
    """Returns (type, subtype, quality) of each range; those that are malformed are left out."""
    ranges = []
    for item in accept.lower().split(","):
        media_range, *parameters = item.split(";")
        main, slash, sub = media_range.strip().partition("/")
        if not (main and slash and sub):
            continue
        quality: float | None = 1.0
        unreadable = False
        for parameter in parameters:
            name, _, value = (part.strip() for part in parameter.partition("="))
            if name == "q":
                quality = _parse_quality(value)
            elif name == "charset" and value.strip('"') not in ("utf-8", "utf8"):
                unreadable = True
        if quality is not None:
            # Named, but in a charset that nothing here is written in: not acceptable.
            ranges.append((main, sub, 0.0 if unreadable else quality))
    return ranges


def _parse_quality(value: str) -> float | None:
    try:
        quality = float(value)
    except ValueError:
        return None
    return quality if 0 <= quality <= 1 else None
