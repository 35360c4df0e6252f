"""From the arguments of a connection of messages to its page."""

from __future__ import annotations

import asyncio
from asyncio import Future

from app.model.errors import InvalidInput
from app.model.identifiers import Sequence, SessionId
from app.model.message import Message, MessageScope
from app.model.paging import MessagePageRequest, Page, Window
from app.rules.paging import choose_window, choose_windows_around
from app.schema import message as message_type
from app.schema.context import Info
from app.schema.cursors import decode_message_cursor
from app.schema.global_id import decode_message_id
from app.schema.selection import FieldsOfEdges

_FIELDS = FieldsOfEdges(message_type.Message, Message)


def load_messages(
    info: Info,
    session_id: SessionId,
    scope: MessageScope,
    *,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
) -> Future[Page[Message] | None]:
    """Loads a page of a session's messages; NotFound where the session has been deleted since.

    Raises InvalidInput and LimitExceeded.
    """
    window = choose_window(
        info.context.services.limits,
        first=first,
        after=None if after is None else decode_message_cursor(after, session_id, ("after",)),
        last=last,
        before=None if before is None else decode_message_cursor(before, session_id, ("before",)),
    )
    return _load(info, session_id, window, scope)


async def load_messages_around(
    info: Info,
    session_id: SessionId,
    message_id: str,
    *,
    before: int | None,
    after: int | None,
) -> Page[Message]:
    """Returns a message of a session and what stands around it, archived or not.

    Raises InvalidInput and LimitExceeded.
    """
    middle = decode_message_id(message_id, ("messageId",))
    if middle.session_id != session_id:
        raise InvalidInput("This is a message of another session.", ("messageId",))
    windows = choose_windows_around(
        info.context.services.limits, middle.sequence, before=before, after=after
    )
    loaded = await asyncio.gather(
        *[_load(info, session_id, window, MessageScope.ALL) for window in windows]
    )
    pages = [page for page in loaded if page is not None]
    return Page(
        items=tuple(message for page in pages for message in page.items),
        has_previous=pages[0].has_previous,
        has_next=pages[-1].has_next,
    )


def _load(
    info: Info, session_id: SessionId, window: Window[Sequence], scope: MessageScope
) -> Future[Page[Message] | None]:
    request = MessagePageRequest(session_id, window, scope, _FIELDS.of(info))
    return info.context.message_pages.load(request)
