"""Batch functions, one a relation: many keys in, one call of the store, a mapping by key out.

A key that is absent from the answer is no such thing, or not in the caller's scope.
"""

from __future__ import annotations

from collections.abc import Collection

from app.backends.protocol import Found
from app.model.errors import NotFound
from app.model.identifiers import AgentId, MessageId, ProfileId, SessionId, SessionKey, UserId
from app.model.message import Message
from app.model.paging import MessagePageRequest, Page, SessionPageRequest
from app.model.search import SearchHit, SearchRequest
from app.model.session import Agent, Profile, Session, User
from app.resolvers.scopes import read_scope
from app.resolvers.services import Services
from app.rules.caller import Caller


async def load_sessions(
    services: Services, caller: Caller, ids: Collection[SessionId]
) -> Found[SessionId, Session]:
    """Answers sessions by id."""
    return await services.backend.get_sessions(ids, read_scope(caller))


async def load_sessions_by_key(
    services: Services, caller: Caller, keys: Collection[SessionKey]
) -> Found[SessionKey, Session]:
    """Answers sessions by owner and key."""
    return await services.backend.find_sessions(keys, read_scope(caller))


async def load_session_pages(
    services: Services, caller: Caller, requests: Collection[SessionPageRequest]
) -> Found[SessionPageRequest, Page[Session]]:
    """Answers pages of the sessions that the caller may see."""
    return await services.backend.page_sessions(requests, read_scope(caller))


async def load_messages(
    services: Services, caller: Caller, ids: Collection[MessageId]
) -> Found[MessageId, Message]:
    """Answers messages by id."""
    return await services.backend.get_messages(ids, read_scope(caller))


async def load_message_pages(
    services: Services, caller: Caller, requests: Collection[MessagePageRequest]
) -> Found[MessagePageRequest, Page[Message]]:
    """Answers pages of sessions' messages, NotFound for those of a session that is gone."""
    found = await services.backend.page_messages(requests, read_scope(caller))
    if len(found) == len(requests):
        return found
    gone = {
        request: NotFound("The session has been deleted since.")
        for request in requests
        if request not in found
    }
    return {**found, **gone}


async def load_searches(
    services: Services, caller: Caller, requests: Collection[SearchRequest]
) -> Found[SearchRequest, Page[SearchHit]]:
    """Answers pages of the messages that match, of the sessions that the caller may see."""
    return await services.backend.search_messages(requests, read_scope(caller))


async def load_users(
    services: Services, caller: Caller, ids: Collection[UserId]
) -> Found[UserId, User]:
    """Answers users by id; without the permission to read all, the caller alone."""
    return await services.backend.get_users(ids, read_scope(caller))


async def load_agents(
    services: Services, caller: Caller, ids: Collection[AgentId]
) -> Found[AgentId, Agent]:
    """Answers agents by id: they are no secret of anybody's."""
    return await services.backend.get_agents(ids)


async def load_profiles(
    services: Services, caller: Caller, ids: Collection[ProfileId]
) -> Found[ProfileId, Profile]:
    """Answers profiles by id: they are no secret of anybody's."""
    return await services.backend.get_profiles(ids)
