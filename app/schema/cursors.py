"""Cursors: places in a list or a log, as opaque text that only the list it came from accepts.

A cursor holds the keyset of its place (never an offset), and a CRC-32 over that keyset and the
name of the list it belongs to; that of a message, 24 bits of one over each. The sum is no secret
and no protection: access is decided by the scope of every statement. It makes a mistake (a cursor
that was cut off, mistyped, or taken from another session) an error that says so, where it would
otherwise be another page.
"""

from __future__ import annotations

import binascii
import re
from functools import lru_cache
from zlib import crc32

from app.model.errors import InvalidInput
from app.model.identifiers import Epoch, Position, Revision, Sequence, SessionId
from app.model.paging import SessionBound, SessionOrderField
from app.model.search import SearchBound, SearchOrder
from app.model.search_query import SearchQuery
from app.model.timestamps import Timestamp
from app.schema.opaque_text import WHOLE_BYTES, Remembered, decode_opaque, encode_opaque

MOST_CHARACTERS = 16_384
"""No cursor is longer than this; a longer text is not even looked at."""

_ALPHABET = re.compile(r"[A-Za-z0-9_-]+")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
_NUMBER_BYTES = re.compile(_NUMBER.pattern.encode())
_SUM_BYTES = 4


def encode_message_cursor(session_id: SessionId, sequence: Sequence) -> str:
    """Returns the cursor of a message in its session's messages."""
    return _SESSIONS[session_id] + _SEQUENCES[sequence]


def _session_part(session_id: str) -> str:
    return encode_opaque(_short_sum(_owner_sum("message", session_id)))


def _sequence_part(sequence: int) -> str:
    place = b"%d" % sequence
    return encode_opaque(_short_sum(crc32(place)) + place)


def _short_sum(checksum: int) -> bytes:
    return checksum.to_bytes(_SUM_BYTES, "big")[:WHOLE_BYTES]


_SESSIONS = Remembered(_session_part, 1_024)
_SEQUENCES = Remembered(_sequence_part, 8_192)


def decode_message_cursor(text: str, session_id: SessionId, path: tuple[str, ...]) -> Sequence:
    """Returns the place of a cursor in a session's messages. InvalidInput for any other text."""
    place = _content(text, path)[2 * WHOLE_BYTES :]
    if not _NUMBER_BYTES.fullmatch(place):
        raise _malformed(path)
    sequence = Sequence(int(place))
    if _session_part(session_id) + _sequence_part(sequence) != text:
        raise _malformed(path)
    return sequence


@lru_cache(maxsize=4_096)
def encode_session_cursor(
    session_id: SessionId, value: str, order: SessionOrderField, descending: bool
) -> str:
    """Returns the cursor of a session that has a value to be ordered by, in that order."""
    place = f"{session_id}\x00{value}".encode()
    return _summed(place, _sessions_sum(order, descending))


@lru_cache(maxsize=16)
def _sessions_sum(order: SessionOrderField, descending: bool) -> int:
    return _owner_sum("session", _order_name(order, descending))


def decode_session_cursor(
    text: str, order: SessionOrderField, descending: bool, path: tuple[str, ...]
) -> SessionBound:
    """Returns the place of a cursor in that order. InvalidInput for one of another order."""
    place = _decode(text, "session", _order_name(order, descending), path)
    session_id, separator, value = place.partition("\x00")
    if not separator:
        raise _malformed(path)
    return SessionBound(value, SessionId(session_id))


def encode_search_cursor(bound: SearchBound, query: SearchQuery, order: SearchOrder) -> str:
    """Returns the cursor of a hit among those of a query in that order."""
    score, created_at, session_id, sequence = bound
    place = f"{score}.{sequence}.{session_id}\x00{created_at}"
    return _encode(place, "search", _search_name(query, order))


def decode_search_cursor(
    text: str, query: SearchQuery, order: SearchOrder, path: tuple[str, ...]
) -> SearchBound:
    """Returns the place of a cursor. InvalidInput for one of another query or order."""
    place = _decode(text, "search", _search_name(query, order), path)
    place, separator, created_at = place.partition("\x00")
    score, sequence, session_id = (*place.split(".", 2), "", "")[:3]
    if not separator or not _NUMBER.fullmatch(score) or not _NUMBER.fullmatch(sequence):
        raise _malformed(path)
    return SearchBound(
        int(score), Timestamp(created_at), SessionId(session_id), Sequence(int(sequence))
    )


def encode_event_cursor(session_id: SessionId, position: Position) -> str:
    """Returns the cursor of a place in a session's log."""
    return _encode(f"{position.revision}.{position.epoch}", "event", session_id)


def decode_event_cursor(text: str, session_id: SessionId, path: tuple[str, ...]) -> Position:
    """Returns the place of a cursor in a session's log. InvalidInput for any other text."""
    revision, separator, epoch = _decode(text, "event", session_id, path).partition(".")
    if not separator or not _NUMBER.fullmatch(revision):
        raise _malformed(path)
    return Position(Epoch(epoch), Revision(int(revision)))


def _search_name(query: SearchQuery, order: SearchOrder) -> str:
    return "\x00".join([order.value, *(term.text for term in query.terms)])


def _order_name(order: SessionOrderField, descending: bool) -> str:
    return f"{order.value} {'descending' if descending else 'ascending'}"


def _owner_sum(*owner: str) -> int:
    return crc32("\x00".join(owner).encode())


def _encode(place: str, *owner: str) -> str:
    return _summed(place.encode(), _owner_sum(*owner))


def _summed(place: bytes, owner_sum: int) -> str:
    return encode_opaque(crc32(place, owner_sum).to_bytes(_SUM_BYTES, "big") + place)


def _decode(text: str, kind: str, owner: str, path: tuple[str, ...]) -> str:
    """Returns the place in a cursor of that list. InvalidInput for anything else."""
    try:
        place = _content(text, path)[_SUM_BYTES:].decode()
    except UnicodeDecodeError:
        raise _malformed(path) from None
    if _encode(place, kind, owner) != text:
        raise _malformed(path)
    return place


def _content(text: str, path: tuple[str, ...]) -> bytes:
    if len(text) > MOST_CHARACTERS or not _ALPHABET.fullmatch(text):
        raise _malformed(path)
    try:
        return decode_opaque(text)
    except binascii.Error:
        raise _malformed(path) from None


def _malformed(path: tuple[str, ...]) -> InvalidInput:
    return InvalidInput(
        f"{path[-1]} is no cursor of this list. Cursors are opaque and belong to the list and "
        "the order that gave them.",
        path,
    )
