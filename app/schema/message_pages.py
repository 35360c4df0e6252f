"""From the arguments of a connection of messages to its page."""

from __future__ import annotations

import asyncio

from app.model.errors import InvalidInput, NotFound
from app.model.identifiers import Sequence, SessionId
from app.model.message import Message, MessageScope
from app.model.paging import MessagePageRequest, Page, Window
from app.rules.paging import choose_window, choose_windows_around
from app.schema import message as message_type
from app.schema.context import Info
from app.schema.cursors import decode_message_cursor
from app.schema.global_id import decode_message_id
from app.schema.selection import fields_of_edges


async def load_messages(
    info: Info,
    session_id: SessionId,
    scope: MessageScope,
    *,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
) -> Page[Message]:
    """Returns a page of a session's messages. Raises InvalidInput and LimitExceeded."""
    window = choose_window(
        info.context.services.limits,
        first=first,
        after=None if after is None else decode_message_cursor(after, session_id, ("after",)),
        last=last,
        before=None if before is None else decode_message_cursor(before, session_id, ("before",)),
    )
    return await _load(info, session_id, window, scope)


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
    pages = await asyncio.gather(
        *[_load(info, session_id, window, MessageScope.ALL) for window in windows]
    )
    return Page(
        items=tuple(message for page in pages for message in page.items),
        has_previous=pages[0].has_previous,
        has_next=pages[-1].has_next,
    )


async def _load(
    info: Info, session_id: SessionId, window: Window[Sequence], scope: MessageScope
) -> Page[Message]:
    fields = fields_of_edges(info, message_type.Message, Message)
    request = MessagePageRequest(session_id, window, scope, fields)
    page = await info.context.message_pages.load(request)
    if page is None:
        raise NotFound("The session has been deleted since.")
    return page
