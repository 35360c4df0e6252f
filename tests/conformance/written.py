"""Answers as text, to be compared byte for byte: what equals in Python alone is told apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.backends.protocol import EVERYTHING, Backend, Scope
from app.formats.archive import encode_archive
from app.formats.archive_records import encode_record
from app.model.changes import Committed
from app.model.errors import Conflict, InvalidInput, NotFound, ScrollbackError
from app.model.events import Event, LogRead, LogSlice
from app.model.identifiers import Position
from app.model.message import Message
from app.model.paging import MessagePageRequest, Page, SessionPageRequest, ordering_value
from app.model.search import SearchHit, SearchRequest
from app.model.session import Agent, Profile, Session, User
from app.schema.cursors import (
    encode_event_cursor,
    encode_message_cursor,
    encode_search_cursor,
    encode_session_cursor,
)

Written = list[Any]
"""Nested lists of text."""


def written(answer: object) -> Written:
    """Returns one answer as text. Errors are told by their type, words and what they carry."""
    match answer:
        case Event(message=message):
            return [encode_record(answer), None if message is None else encode_record(message)]
        case Session() | Message() | User() | Agent() | Profile():
            return [encode_record(answer)]
        case SearchHit(message=message, session=session, score=score):
            return [encode_record(message), encode_record(session), repr(score)]
        case Committed(session=session):
            state = None if session is None else written(session)
            rest = (answer.position, answer.sequences, answer.affected)
            return [*map(repr, rest), state, repr((answer.replayed, answer.existing))]
        case Conflict(current=current):
            state = None if current is None else written(current)
            return ["Conflict", answer.message, state]
        case NotFound(path=path) | InvalidInput(path=path):
            return [type(answer).__name__, answer.message, *path]
        case ScrollbackError():
            return [type(answer).__name__, answer.message]
        case _:
            return [repr(answer)]


def written_by_request(asked: Iterable[Any], found: Mapping[Any, object]) -> list[Written]:
    """Returns what was answered to each request, pages and logs with their cursors."""
    wanted = list(asked)
    assert set(found) <= set(wanted), "something was answered that nobody has asked for"
    return [_answer_to(request, found[request]) for request in wanted if request in found]


def _answer_to(request: object, answer: object) -> Written:
    match answer:
        case Page(items=items):
            shown = [[*written(item), cursor_of(request, item)] for item in items]
            return [repr(request), shown, repr((answer.has_previous, answer.has_next))]
        case LogSlice(events=events, top=top):
            told = [[*written(one), cursor_of(request, one, top)] for one in events]
            return [repr(request), told, repr((top, answer.gap))]
        case _:
            return [repr(request), *written(answer)]


def cursor_of(request: object, item: object, top: Position | None = None) -> str:
    """Returns the cursor that a client gets with an item of a page, or of a log up to `top`."""
    match request, item:
        case SessionPageRequest(order=order, descending=descending), Session():
            value = ordering_value(item, order)
            return encode_session_cursor(item.id, value, order, descending)
        case MessagePageRequest(session_id=session_id), Message():
            return encode_message_cursor(session_id, item.sequence)
        case SearchRequest(query=query, order=by), SearchHit(bound=bound):
            return encode_search_cursor(bound, query, by)
        case LogRead(session_id=session_id), Event() if top is not None:
            return encode_event_cursor(session_id, Position(top.epoch, item.revision))
        case _:
            raise AssertionError(f"{item!r} is no answer to {request!r}")


async def exported(backend: Backend, scope: Scope = EVERYTHING) -> bytes:
    """Returns the archive of a store."""
    archive = encode_archive(backend.export(scope), on_record=lambda _: None)
    return b"".join([chunk async for chunk in archive])
