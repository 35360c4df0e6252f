"""What a list of hits shows of a message: the words around the first place that matches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, takewhile

from app.model.message import Message
from app.model.search_offsets import begins_cluster, offsets_of
from app.model.search_query import SearchQuery, find_term
from app.model.search_text import normalize, searchable_text

SNIPPET_LENGTH = 160
"""How much of a message a snippet shows, in characters, more or less."""

_BEFORE = 40
"""How much of it stands before the first place that matches."""

_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Highlight:
    """A part of a snippet that matches, in UTF-16 code units, as JavaScript counts."""

    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Snippet:
    """Some words of a message, with an ellipsis where more stands before or after them."""

    text: str
    highlights: tuple[Highlight, ...]


def snippet_of(query: SearchQuery, message: Message) -> Snippet:
    """Returns what stands around the first match in a message, as it was written.

    White space is folded. Without a match it is the beginning of the message.
    """
    text = searchable_text(message.parts)
    places = _places(query, text)
    begin, end = _window(text, *(places[0] if places else (0, 0)))
    shown = "…" if text[:begin].strip() else ""
    highlights = []
    position = begin
    for start, stop in places:
        inside = max(start, begin), min(stop, end)
        if inside[0] < inside[1]:
            shown += _folded(text[position : inside[0]], shown)
            marked = _folded(text[slice(*inside)], shown)
            highlights.append(Highlight(_code_units(shown), _code_units(marked)))
            shown += marked
            position = inside[1]
    shown = (shown + _folded(text[position:end], shown)).rstrip()
    return Snippet(shown + ("…" if text[end:].strip() else ""), tuple(highlights))


def _places(query: SearchQuery, text: str) -> list[tuple[int, int]]:
    """Returns the parts of a text that match, from the first one to where a snippet can end."""
    normal = normalize(text)
    firsts = [place for term in query.terms for place in islice(find_term(term, normal), 1)]
    if not firsts:
        return []
    offsets = offsets_of(text, min(firsts), SNIPPET_LENGTH)
    places = [
        (
            offsets.starts[place - offsets.first],
            offsets.ends[min(place + len(term.text), offsets.end) - offsets.first - 1],
        )
        for term in query.terms
        for place in takewhile(offsets.end.__gt__, find_term(term, normal))
    ]
    return list(_joined(sorted(places)))


def _joined(places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yields parts of a text, those that touch each other as one."""
    start, stop = -1, -1
    for next_start, next_stop in places:
        if next_start <= stop:
            stop = max(stop, next_stop)
        else:
            if stop >= 0:
                yield start, stop
            start, stop = next_start, next_stop
    yield start, stop


def _window(text: str, start: int, stop: int) -> tuple[int, int]:
    """Returns the part of a text to show around a place, cut where words or characters end."""
    begin = max(0, start - _BEFORE)
    end = min(len(text), begin + SNIPPET_LENGTH)
    begin = min(begin, max(0, end - SNIPPET_LENGTH))
    if begin > 0:
        space = _SPACE.search(text, begin, start)
        begin = space.end() if space else begin
        while begin < start and not begins_cluster(text[begin]):
            begin += 1
    if end < len(text):
        end = max([space.start() for space in _SPACE.finditer(text, stop, end)], default=end)
        while end > start + 1 and not begins_cluster(text[end]):
            end -= 1
    return begin, end


def _folded(text: str, before: str) -> str:
    folded = _SPACE.sub(" ", text)
    return folded.lstrip() if before in ("", "…") else folded


def _code_units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
