"""The scalars beyond GraphQL's own: times, JSON and large numbers."""

from __future__ import annotations

import re
from typing import NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from app.model.timestamps import Timestamp, parse_timestamp

JSON = NewType("JSON", object)
"""Any JSON value."""

BigInt = NewType("BigInt", int)
"""A whole number of up to 64 bits, sent as text."""

_WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_HIGHEST = (1 << 63) - 1


def _parse_time(value: object) -> Timestamp:
    if not isinstance(value, str):
        raise GraphQLError("A DateTime is text, such as 2026-03-01T09:30:00Z.")
    try:
        return parse_timestamp(value)
    except ValueError:
        raise GraphQLError(
            "A DateTime is ISO 8601 with an offset, such as 2026-03-01T09:30:00Z."
        ) from None


def _parse_big_int(value: object) -> BigInt:
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
        number = int(value)
    else:
        raise GraphQLError('A BigInt is a whole number as text, such as "1048576".')
    if not -_HIGHEST - 1 <= number <= _HIGHEST:
        raise GraphQLError("A BigInt has at most 64 bits.")
    return BigInt(number)


SCALARS: dict[object, ScalarDefinition] = {
    Timestamp: strawberry.scalar(
        name="DateTime",
        description=(
            "A moment as ISO 8601 text. It goes out in UTC with microseconds, such as "
            "`2026-03-01T09:30:00.000000Z`, so that text sorts as time does. It comes in with any "
            "offset; without one it is refused."
        ),
        specified_by_url="https://scalars.graphql.org/andimarek/date-time.html",
        parse_value=_parse_time,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description=(
            "Any JSON value. Refused on the way in, because not every reader could take them: "
            "U+0000, lone surrogates, NaN, the infinities, and whole numbers beyond 64 bits."
        ),
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
        parse_value=lambda value: value,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description=(
            "A whole number of up to 64 bits, as text, because JavaScript's numbers are exact "
            "only up to 2^53. On the way in a plain number is taken as well."
        ),
        serialize=str,
        parse_value=_parse_big_int,
    ),
}
