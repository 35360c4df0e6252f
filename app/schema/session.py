"""Sessions. The objects behind the types are the model's own."""

from __future__ import annotations

import asyncio
from asyncio import Future
from typing import Annotated, Any, TypeVar

import strawberry

from app.model import message as message_model
from app.model import session as model
from app.model.message import MessageScope
from app.model.paging import Page
from app.model.session import SessionKind
from app.model.timestamps import Timestamp
from app.rules.titles import choose_display_name
from app.schema.connection import AFTER, BEFORE, FIRST, LAST
from app.schema.context import Info
from app.schema.cursors import encode_event_cursor
from app.schema.directory import Agent, Profile, User
from app.schema.field import field
from app.schema.global_id import encode_session_id
from app.schema.message import Message, MessageConnection
from app.schema.message_pages import load_messages, load_messages_around
from app.schema.node import NODE_ID, Node
from app.schema.scalars import JSON

First = Annotated[int | None, strawberry.argument(description=FIRST)]
Last = Annotated[int | None, strawberry.argument(description=LAST)]
After = Annotated[str | None, strawberry.argument(description=AFTER)]
Before = Annotated[str | None, strawberry.argument(description=BEFORE)]

T = TypeVar("T")


async def _present(loading: Future[T | None] | None) -> T | None:
    return None if loading is None else await loading


@strawberry.type(description="A conversation.")
class Session(Node):
    """A session of the model, with the counters that are kept in each change's transaction."""

    @field(graphql_type=strawberry.ID, description=NODE_ID, reads=())
    @staticmethod
    def id(session: strawberry.Parent[model.Session]) -> str:
        """Returns the global id."""
        return encode_session_id(session.id)

    key: str = strawberry.field(
        description="The name that an application knows it by, unique for its owner."
    )
    title: str | None = strawberry.field(description="The title. Null while it has none.")
    revision: int = strawberry.field(
        description=(
            "How many changes the session has seen. Give it as `expectedRevision` to change only "
            "what you have seen."
        )
    )
    kind: SessionKind = strawberry.field(description="What sort of conversation it is.")
    channel: str | None = strawberry.field(
        description="Where it is held, such as `web`, `slack` or `telegram`."
    )
    metadata: JSON = strawberry.field(description="Whatever else an application keeps with it.")
    pinned_at: Timestamp | None = strawberry.field(description="When it was pinned, if it is.")
    starred_at: Timestamp | None = strawberry.field(description="When it was starred, if it is.")
    archived_at: Timestamp | None = strawberry.field(description="When it was put away, if it is.")
    created_at: Timestamp = strawberry.field(description="When it was created.")
    updated_at: Timestamp = strawberry.field(description="When it last changed in any way.")
    last_message_at: Timestamp | None = strawberry.field(
        description="When its newest message was said. Null without messages."
    )
    last_activity_at: Timestamp = strawberry.field(
        description="`lastMessageAt`, or `createdAt` while there is no message."
    )
    message_count: int = strawberry.field(description="How many messages, archived ones too.")
    archived_message_count: int = strawberry.field(description="How many archived messages.")
    preview: str | None = strawberry.field(
        description="The beginning of what was said last by a person or a model, for a list."
    )

    @field(description="Whether any message is archived.", reads=("archived_message_count",))
    @staticmethod
    def has_archived_messages(session: strawberry.Parent[model.Session]) -> bool:
        """Answers from the counter."""
        return session.archived_message_count > 0

    @field(
        description=(
            "Where the session's log stands. Subscribe to `sessionEvents` with it as `after`, and "
            "nothing that happens after this answer is missed and nothing is told twice."
        ),
        reads=("epoch", "revision"),
    )
    @staticmethod
    def event_cursor(session: strawberry.Parent[model.Session]) -> str:
        """Returns the end of the log, as this state was read."""
        return encode_event_cursor(session.id, session.position)

    @field(
        graphql_type=User | None,
        description="Whose session it is. Null where nobody owns it.",
        reads=("owner_id",),
    )
    @staticmethod
    def owner(
        session: strawberry.Parent[model.Session], info: Info
    ) -> Future[model.User | None] | None:
        """Loads the owner."""
        return info.context.users.load(session.owner_id) if session.owner_id else None

    @field(graphql_type=Agent | None, description="The agent it is held with.", reads=("agent_id",))
    @staticmethod
    def agent(
        session: strawberry.Parent[model.Session], info: Info
    ) -> Future[model.Agent | None] | None:
        """Loads the agent."""
        return info.context.agents.load(session.agent_id) if session.agent_id else None

    @field(
        graphql_type=Agent | None,
        description="The other agent, in a session between two.",
        reads=("peer_agent_id",),
    )
    @staticmethod
    def peer_agent(
        session: strawberry.Parent[model.Session], info: Info
    ) -> Future[model.Agent | None] | None:
        """Loads the other agent."""
        peer = session.peer_agent_id
        return info.context.agents.load(peer) if peer else None

    @field(
        graphql_type=Profile | None,
        description="The profile it is held under.",
        reads=("profile_id",),
    )
    @staticmethod
    def profile(
        session: strawberry.Parent[model.Session], info: Info
    ) -> Future[model.Profile | None] | None:
        """Loads the profile."""
        profile = session.profile_id
        return info.context.profiles.load(profile) if profile else None

    @field(
        description=(
            "What to call it in a list: the agent, or, in somebody else's session, its owner; "
            "a group's title; `A - B` for two agents. Where that is unknown, the title or the key."
        ),
        reads=("key", "title", "kind", "owner_id", "agent_id", "peer_agent_id"),
    )
    @staticmethod
    async def display_name(session: strawberry.Parent[model.Session], info: Info) -> str:
        """Loads whoever the session names, and lets the rule choose."""
        context = info.context
        owner, agent, peer_agent = await asyncio.gather(
            _present(Session.owner(session, info)),
            _present(Session.agent(session, info)),
            _present(Session.peer_agent(session, info)),
        )
        return choose_display_name(
            session, context.caller, owner=owner, agent=agent, peer_agent=peer_agent
        )

    @field(
        name="forkedFrom",
        graphql_type=Annotated["Session", strawberry.lazy("app.schema.session")] | None,
        description="The session it was forked from. Null where none, or where you can't see it.",
        reads=("forked_from",),
    )
    @staticmethod
    def forked_from_session(
        session: strawberry.Parent[model.Session], info: Info
    ) -> Future[model.Session | None] | None:
        """Loads the session of the last message that was copied."""
        origin = session.forked_from
        return info.context.sessions.load(origin.session_id) if origin else None

    @field(
        graphql_type=Message | None,
        description=(
            "The last message of `forkedFrom` that was copied. Null where none was, or where it "
            "has been deleted since."
        ),
        reads=("forked_from",),
    )
    @staticmethod
    def forked_from_message(
        session: strawberry.Parent[model.Session], info: Info
    ) -> Future[message_model.Message | None] | None:
        """Loads the last message that was copied."""
        origin = session.forked_from
        return info.context.messages.load(origin) if origin and origin.sequence else None

    @field(
        graphql_type=MessageConnection,
        description=(
            "The messages, always by ascending `sequence`. The newest page is `last: 50`; "
            "scroll back with `last: 50, before: startCursor`; catch up with "
            "`first: 100, after: endCursor`. Cursors stay true while others write."
        ),
        reads=(),
    )
    @staticmethod
    def messages(
        session: strawberry.Parent[model.Session],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        scope: Annotated[
            MessageScope,
            strawberry.argument(
                description="Which messages: active, archived, or all without a seam."
            ),
        ] = MessageScope.ACTIVE,
    ) -> Future[Page[message_model.Message] | None]:
        """Loads a page."""
        return load_messages(
            info, session.id, scope, first=first, after=after, last=last, before=before
        )

    @field(
        graphql_type=MessageConnection,
        description="`messages` with the scope ARCHIVED. Cursors are good for both.",
        reads=(),
    )
    @staticmethod
    def archived_messages(
        session: strawberry.Parent[model.Session],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Future[Page[message_model.Message] | None]:
        """Loads a page of archived messages."""
        return load_messages(
            info,
            session.id,
            MessageScope.ARCHIVED,
            first=first,
            after=after,
            last=last,
            before=before,
        )

    @field(
        graphql_type=MessageConnection,
        description=(
            "A message and what stands around it, archived or not: for a jump to a search hit or "
            "a link. Where the message has been deleted, what stands around its place."
        ),
        reads=(),
    )
    @staticmethod
    async def messages_around(
        session: strawberry.Parent[model.Session],
        info: Info,
        message_id: Annotated[
            strawberry.ID, strawberry.argument(description="The id of a message of this session.")
        ],
        before: Annotated[
            int | None,
            strawberry.argument(description="How many before it: 25 by default."),
        ] = None,
        after: Annotated[
            int | None,
            strawberry.argument(description="How many after it: 25 by default."),
        ] = None,
    ) -> Page[message_model.Message]:
        """Loads the pages before and after a message, in one batch."""
        return await load_messages_around(info, session.id, message_id, before=before, after=after)

    @classmethod
    def is_type_of(cls, node: object, _info: Any) -> bool:
        """Answers whether a model object is a session."""
        return isinstance(node, model.Session)
