"""The trigrams of a text, and those that stand for what trigrams can't find.

A text is taken out of the index by the same trigrams that it was put in with, so whoever changes
them, or the normal form that they are of, raises the version of the index.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from app.model.identifiers import SessionId
from app.model.search_text import short_grams

_SHORT, _OWNER, _SESSION = "\x01", "\x02", "\x03"
"""What a trigram begins with that stands for something else than three characters of a text."""

EVERY_DOCUMENT = (_OWNER, _SESSION)
"""Of every document there is a trigram from the first of these on and before the second."""


def match_of(
    grams: Iterable[str], *, owner_id: str | None = None, session_id: SessionId | None = None
) -> str:
    """Returns the FTS5 query of the texts that have all grams, of one owner or session.

    Empty where nothing is asked for. The owner "" stands for none.
    """
    wanted = [gram if len(gram) == 3 else _short(gram) for gram in sorted(grams)]
    if owner_id is not None:
        wanted.append(_OWNER + _mark(owner_id))
    if session_id is not None:
        wanted.append(_SESSION + _mark(session_id))
    return " ".join(['"' + gram.replace('"', '""') + '"' for gram in wanted])


def document_of(owner_id: str, session_id: str, normal: str) -> str:
    """Returns what is indexed of a text: all its trigrams, and some that stand for the rest.

    Its owner and its session each have one, so that who asks for few of many texts need not read
    all that have a common gram, and each short gram has one.
    """
    short = _SHORT.join(sorted(short_grams(normal)))
    return (
        f"{_OWNER}{_mark(owner_id)}{_SESSION}{_mark(session_id)}"
        f"{_SHORT}{normal}{_SHORT}{short}{_SHORT}"
    )


def _short(gram: str) -> str:
    """Returns the trigram that stands for a gram of one or two characters."""
    return _SHORT + gram + ("" if len(gram) == 2 else _SHORT)


def _mark(identifier: str) -> str:
    """Returns two characters that few identifiers share."""
    digest = zlib.crc32(identifier.encode())
    return chr(0x4E00 + (digest & 0x3FFF)) + chr(0x4E00 + (digest >> 14 & 0x3FFF))
