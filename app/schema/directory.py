"""The people, agents and profiles that sessions name."""

from __future__ import annotations

from typing import Any

import strawberry

from app.model import session as model
from app.schema.field import field
from app.schema.node import Node

_DISPLAY_NAME = "The name to show: the one that is known, else `name`."


@strawberry.type(description="A person who owns sessions.")
class User(Node):
    """A user of the model."""

    @field(description=_DISPLAY_NAME)
    @staticmethod
    def display_name(user: strawberry.Parent[model.User]) -> str:
        """Returns what a user is called."""
        return user.display_name or user.id

    @field(description="The name that the login knows this person by.")
    @staticmethod
    def name(user: strawberry.Parent[model.User]) -> str:
        """Returns the user's own identity."""
        return user.id

    @classmethod
    def is_type_of(cls, node: object, _info: Any) -> bool:
        """Answers whether a model object is a user."""
        return isinstance(node, model.User)


@strawberry.type(description="A program that takes part in sessions.")
class Agent(Node):
    """An agent of the model."""

    @field(description=_DISPLAY_NAME)
    @staticmethod
    def display_name(agent: strawberry.Parent[model.Agent]) -> str:
        """Returns what an agent is called."""
        return agent.display_name or agent.id

    @field(description="The name that applications know this agent by.")
    @staticmethod
    def name(agent: strawberry.Parent[model.Agent]) -> str:
        """Returns the agent's own identity."""
        return agent.id

    @classmethod
    def is_type_of(cls, node: object, _info: Any) -> bool:
        """Answers whether a model object is an agent."""
        return isinstance(node, model.Agent)


@strawberry.type(
    description=("A named way of working (a prompt, tools, a model) that sessions are held under.")
)
class Profile(Node):
    """A profile of the model."""

    @field(description=_DISPLAY_NAME)
    @staticmethod
    def display_name(profile: strawberry.Parent[model.Profile]) -> str:
        """Returns what a profile is called."""
        return profile.display_name or profile.id

    @field(description="The name that applications know this profile by.")
    @staticmethod
    def name(profile: strawberry.Parent[model.Profile]) -> str:
        """Returns the profile's own identity."""
        return profile.id

    @classmethod
    def is_type_of(cls, node: object, _info: Any) -> bool:
        """Answers whether a model object is a profile."""
        return isinstance(node, model.Profile)
