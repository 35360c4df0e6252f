"""The GraphQL schema: what a client sees. No logic; a field is an attribute or one resolver."""

from __future__ import annotations

from typing import cast

import strawberry
from graphql import GraphQLInputObjectType
from strawberry.schema.config import StrawberryConfig

from app.execution.strawberry_schema import core_schema
from app.schema.directory import Agent, Profile, User
from app.schema.errors import ERROR_TYPES
from app.schema.event import EVENT_TYPES
from app.schema.mutation import Mutation
from app.schema.part import PART_TYPES
from app.schema.query import Query
from app.schema.scalars import SCALARS
from app.schema.subscription import Subscription

schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[*PART_TYPES, *ERROR_TYPES, *EVENT_TYPES, User, Agent, Profile],
    config=StrawberryConfig(scalar_map=SCALARS),
)

# Strawberry checks a one-of input by itself and does not tell graphql-core, so neither the printed
# schema nor introspection would say it.
cast("GraphQLInputObjectType", core_schema(schema).type_map["MessagePartInput"]).is_one_of = True
