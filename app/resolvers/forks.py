"""Forking: a new session that begins with another one's messages."""

from __future__ import annotations

from app.model.changes import Committed, CopyMessages, CreateSession
from app.model.errors import NotFound, ScrollbackError
from app.model.identifiers import MessageId, Sequence, SessionId, new_epoch
from app.model.message import MessageScope
from app.model.paging import MessagePageRequest, Take, Window
from app.model.session import Session
from app.resolvers.attempts import Attempt
from app.resolvers.commits import commit_changes
from app.resolvers.scopes import read_scope
from app.resolvers.services import Services
from app.resolvers.sessions import choose_session_id, present_session
from app.rules.caller import Caller
from app.rules.sessions import check_key, check_title

_TRIES = 5
"""How often a fork of all messages is tried while somebody deletes the last one."""


async def fork_session(
    services: Services,
    caller: Caller,
    source_id: SessionId,
    *,
    through: Sequence | None = None,
    key: str | None = None,
    title: str | None = None,
    idempotency_key: str | None = None,
) -> Session:
    """Creates a session of the caller's own with the messages up to `through` (None: all).

    The fork has the source's agents, profile, kind, channel and metadata, and its title unless
    another is given. Copies keep number, parts, metadata, times and archive. Raises NotFound for
    a source or a message that the caller does not see, and Conflict for a key that is taken.
    """
    if key is not None:
        check_key(key, services.limits)
    check_title(title, services.limits)
    request = (source_id, through, key, title)
    attempt = Attempt("forkSession", request, idempotency_key)
    attempt.check(services.limits)
    fork_id = choose_session_id(caller, attempt)
    scope = read_scope(caller)
    found = await services.backend.get_sessions({source_id, fork_id}, scope)
    # A retry finds its fork by id, whatever has become of the source since.
    source = found.get(fork_id) or found.get(source_id)
    if source is None:
        raise NotFound("There is no such session.", ("sessionId",))
    if isinstance(source, ScrollbackError):
        raise source
    for tries_left in reversed(range(_TRIES)):
        last = through or Sequence(0)
        if fork_id not in found:
            last = await _find_last(services, caller, source, through)
        try:
            committed = await _copy(services, caller, source, last, fork_id, key, title, attempt)
        except NotFound:
            # Somebody deleted the last message in between: then another is the last.
            if through is not None or not tries_left:
                raise
        else:
            return present_session(committed)
    raise AssertionError("the loop above answers or raises")


async def _copy(
    services: Services,
    caller: Caller,
    source: Session,
    last: Sequence,
    fork_id: SessionId,
    key: str | None,
    title: str | None,
    attempt: Attempt,
) -> Committed:
    create = CreateSession(
        key=fork_id if key is None else key,
        epoch=new_epoch(),
        owner_id=caller.user_id,
        agent_id=source.agent_id,
        peer_agent_id=source.peer_agent_id,
        profile_id=source.profile_id,
        title=source.title if title is None else title,
        kind=source.kind,
        channel=source.channel,
        forked_from=MessageId(source.id, last),
        metadata=source.metadata,
    )
    # The commit makes a session of the caller's own and changes no other, so what the caller
    # may read is what it may copy from.
    return await commit_changes(
        services,
        caller,
        fork_id,
        (create, CopyMessages(source.id, through=last)) if last else (create,),
        attempt,
        scope=read_scope(caller),
    )


async def _find_last(
    services: Services, caller: Caller, source: Session, through: Sequence | None
) -> Sequence:
    """Returns the number of the last message to copy; 0 for none.

    It is settled before the copy, so that the fork's origin is exact while others append.
    """
    scope = read_scope(caller)
    if through is not None:
        message_id = MessageId(source.id, through)
        if message_id not in await services.backend.get_messages([message_id], scope):
            raise NotFound("There is no such message.", ("throughMessageId",))
        return through
    request = MessagePageRequest(
        source.id, Window(limit=1, take=Take.LAST), messages=MessageScope.ALL
    )
    page = (await services.backend.page_messages([request], scope)).get(request)
    if page is None:
        raise NotFound("There is no such session.", ("sessionId",))
    if isinstance(page, ScrollbackError):
        raise page
    return page.items[-1].sequence if page.items else Sequence(0)
