"""Changes of what sessions name: agents and profiles."""

from __future__ import annotations

from typing import Annotated

import strawberry

from app.model import session as model
from app.model.identifiers import AgentId, ProfileId
from app.resolvers.directory import register
from app.schema.context import Info
from app.schema.directory import Agent, Profile
from app.schema.field import field
from app.schema.payload import Outcome, Payload, settle

_NAME = "The name that your application knows it by. One that is registered already is updated."
_DISPLAY_NAME = "The name to show. Where you give none, what is known stays."


@strawberry.input(description="An agent to make known.")
class RegisterAgentInput:
    """An agent."""

    name: str = strawberry.field(description=_NAME)
    display_name: str | None = strawberry.field(default=None, description=_DISPLAY_NAME)


@strawberry.input(description="A profile to make known.")
class RegisterProfileInput:
    """A profile."""

    name: str = strawberry.field(description=_NAME)
    display_name: str | None = strawberry.field(default=None, description=_DISPLAY_NAME)


@strawberry.type(description="An agent that sessions can be held with.")
class RegisterAgentPayload(Payload):
    """What came of it."""

    agent: Agent | None = strawberry.field(description="The agent: give its id as `agentId`.")


@strawberry.type(description="A profile that sessions can be held under.")
class RegisterProfilePayload(Payload):
    """What came of it."""

    profile: Profile | None = strawberry.field(
        description="The profile: give its id as `profileId`."
    )


@strawberry.type
class DirectoryMutations:
    """The mutations of agents and profiles."""

    @field(
        graphql_type=RegisterAgentPayload | None,
        description="Makes an agent known, so that sessions can be created with it.",
    )
    @staticmethod
    async def register_agent(
        info: Info,
        given: Annotated[
            RegisterAgentInput, strawberry.argument(name="input", description="The agent.")
        ],
    ) -> Outcome:
        """Registers an agent."""

        async def change() -> Outcome:
            name = AgentId(given.name)
            agent = model.Agent(name, given.display_name)
            await register(info.context.services, info.context.caller, agent)
            info.context.renew()
            return Outcome(agent=await info.context.agents.load(name))

        return await settle(info, change())

    @field(
        graphql_type=RegisterProfilePayload | None,
        description="Makes a profile known, so that sessions can be created under it.",
    )
    @staticmethod
    async def register_profile(
        info: Info,
        given: Annotated[
            RegisterProfileInput, strawberry.argument(name="input", description="The profile.")
        ],
    ) -> Outcome:
        """Registers a profile."""

        async def change() -> Outcome:
            name = ProfileId(given.name)
            profile = model.Profile(name, given.display_name)
            await register(info.context.services, info.context.caller, profile)
            info.context.renew()
            return Outcome(profile=await info.context.profiles.load(name))

        return await settle(info, change())
