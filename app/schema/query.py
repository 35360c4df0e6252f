"""Everything that can be read."""

from __future__ import annotations

from asyncio import Future
from typing import Annotated, Any

import strawberry

from app.model import session as model
from app.model.errors import LimitExceeded
from app.model.identifiers import AgentId, MessageId, ProfileId, SessionKey
from app.model.search import SearchOrder
from app.rules.text import check_text
from app.schema.connection import AFTER, BEFORE, FIRST, LAST
from app.schema.context import Info, OperationContext
from app.schema.directory import Agent, Profile
from app.schema.field import field
from app.schema.global_id import Identified, decode_global_id, decode_session_id
from app.schema.message_search import (
    MessageSearchConnection,
    MessageSearchFilter,
    SearchResult,
    search_messages,
)
from app.schema.node import Node
from app.schema.session import Session
from app.schema.session_list import (
    SessionConnection,
    SessionFilterInput,
    SessionList,
    SessionOrderInput,
    list_sessions,
)
from app.schema.viewer import Viewer, Viewing


@strawberry.type(
    description="Everything that can be read. What you may not see is as if it were not."
)
class Query:
    """The root of queries."""

    @field(graphql_type=Viewer | None, description="You, as the server knows you.")
    @staticmethod
    def viewer(info: Info) -> Viewing:
        """Returns the caller."""
        return Viewing(info.context.caller, info.context.services.limits)

    @field(
        graphql_type=Node | None,
        description="Anything by its id. Null where there is no such thing, or not for you.",
    )
    @staticmethod
    async def node(
        info: Info,
        node_id: Annotated[strawberry.ID, strawberry.argument(name="id", description="The id.")],
    ) -> Identified | None:
        """Loads one thing."""
        return await _load_node(info.context, node_id, ("id",))

    @field(
        graphql_type=list[Node | None],
        description=(
            "Many things by their ids, at most 100: in the order of the ids, null where there is "
            "no such thing, or not for you."
        ),
    )
    @staticmethod
    async def nodes(
        info: Info,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description="The ids.")],
    ) -> list[Any]:
        """Loads many things, the same kind in one batch; a bad id fails alone."""
        most = info.context.services.limits.node_ids
        if len(ids) > most:
            raise LimitExceeded(f"{len(ids)} ids, {most} are allowed.", ("ids",))
        return [
            _load_node(info.context, text, ("ids", str(index))) for index, text in enumerate(ids)
        ]

    @field(
        graphql_type=Agent | None,
        description="The agent of a name. Null where none is registered under it.",
    )
    @staticmethod
    def agent(
        info: Info,
        name: Annotated[str, strawberry.argument(description="The agent's name.")],
    ) -> Future[model.Agent | None]:
        """Loads an agent."""
        check_text(name, ("name",))
        return info.context.agents.load(AgentId(name))

    @field(
        graphql_type=Profile | None,
        description="The profile of a name. Null where none is registered under it.",
    )
    @staticmethod
    def profile(
        info: Info,
        name: Annotated[str, strawberry.argument(description="The profile's name.")],
    ) -> Future[model.Profile | None]:
        """Loads a profile."""
        check_text(name, ("name",))
        return info.context.profiles.load(ProfileId(name))

    @field(
        graphql_type=Session | None,
        description="A session by its id. Null where there is no such session, or not for you.",
    )
    @staticmethod
    def session(
        info: Info,
        session_id: Annotated[
            strawberry.ID, strawberry.argument(name="id", description="The session's id.")
        ],
    ) -> Future[model.Session | None]:
        """Loads a session."""
        return info.context.sessions.load(decode_session_id(session_id, ("id",)))

    @field(
        graphql_type=Session | None,
        description="The session that you gave this key. Null where there is none.",
    )
    @staticmethod
    def session_by_key(
        info: Info,
        key: Annotated[
            str, strawberry.argument(description="The key, compared character for character.")
        ],
    ) -> Future[model.Session | None]:
        """Loads a session of the caller's by its key."""
        check_text(key, ("key",))
        owned = SessionKey(info.context.caller.user_id, key)
        return info.context.sessions_by_key.load(owned)

    @field(
        graphql_type=SessionConnection | None,
        description=(
            "Your sessions, or everybody's where you may see them; the last active first unless "
            "you order otherwise. Next page: `first: 20, after: endCursor`."
        ),
    )
    @staticmethod
    async def sessions(
        info: Info,
        first: Annotated[int | None, strawberry.argument(description=FIRST)] = None,
        after: Annotated[str | None, strawberry.argument(description=AFTER)] = None,
        last: Annotated[int | None, strawberry.argument(description=LAST)] = None,
        before: Annotated[str | None, strawberry.argument(description=BEFORE)] = None,
        which: Annotated[
            SessionFilterInput | None,
            strawberry.argument(name="filter", description="Which sessions."),
        ] = None,
        order_by: Annotated[
            SessionOrderInput | None, strawberry.argument(description="In which order.")
        ] = None,
    ) -> SessionList:
        """Loads a page of sessions."""
        return await list_sessions(
            info,
            first=first,
            after=after,
            last=last,
            before=before,
            which=which,
            order_by=order_by,
        )

    @field(
        graphql_type=MessageSearchConnection | None,
        description=(
            "Messages that have every term of a query, in your sessions, or in everybody's where "
            "you may see them. Terms are parted by spaces; what stands between quotation marks "
            "is one term. Case, width and forms of a character make no difference. A term is "
            "found wherever it stands, also within a word, and CJK down to one character; other "
            "terms of one or two characters are found as whole words. Words, calls and results "
            "of tools, transcripts, names of files and descriptions of images are searched: the "
            "first 65,536 characters of each message. Next page: `first: 20, after: endCursor`."
        ),
    )
    @staticmethod
    async def search_messages(
        info: Info,
        query: Annotated[
            str,
            strawberry.argument(
                description="What to search for: at most 200 characters and 10 terms."
            ),
        ],
        first: Annotated[int | None, strawberry.argument(description=FIRST)] = None,
        after: Annotated[str | None, strawberry.argument(description=AFTER)] = None,
        which: Annotated[
            MessageSearchFilter | None,
            strawberry.argument(name="filter", description="Among which messages."),
        ] = None,
        order_by: Annotated[
            SearchOrder, strawberry.argument(description="In which order.")
        ] = SearchOrder.RELEVANCE,
    ) -> SearchResult:
        """Loads a page of hits."""
        return await search_messages(
            info, query, first=first, after=after, which=which, order=order_by
        )


async def _load_node(
    context: OperationContext, text: str, path: tuple[str, ...]
) -> Identified | None:
    kind, identity = decode_global_id(text, path)
    if isinstance(identity, MessageId):
        return await context.messages.load(identity)
    loaders: dict[Any, Any] = {
        model.Session: context.sessions,
        model.User: context.users,
        model.Agent: context.agents,
        model.Profile: context.profiles,
    }
    node: Identified | None = await loaders[kind].load(identity)
    return node
