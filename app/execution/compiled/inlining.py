"""Which objects are written into the function around them instead of having one of their own.

A function of its own costs an object as much as three of its fields. So the fields of an object
that a resolver answers at once stand where they are used, in the loop of its list; its function is
made only when it is needed after all, for an object that was awaited or came in an odd list.
"""

from __future__ import annotations

from app.execution.compiled.by_type import is_told_by_type
from app.execution.compiled.plan import FieldPlan, ObjectPlan, Position
from app.execution.strawberry_schema import Attribute, DirectCall, SourceItself

MOST_TYPES = 8
"""Of an abstract type that are asked for one after the other; the others have functions."""

MOST_BLOCKS = 14
"""Of loops and `try` inside each other; Python allows twenty, and a field takes some itself."""


def answers_at_once(field: FieldPlan) -> bool:
    """Tells whether a field's value is probably there when its resolver returns.

    A guess, and only a matter of speed: resolvers that load something ask for their info.
    """
    call = field.call
    if isinstance(call, DirectCall):
        told = (*call.positional, *call.keywords.values())
        return not call.is_async and not call.takes_arguments and "info" not in told
    return isinstance(call, (Attribute, SourceItself))


def inlined_plans(position: Position, blocks: int) -> list[ObjectPlan]:
    """Returns the plans of a place whose fields are written out there, inside so many blocks."""
    if blocks > MOST_BLOCKS:
        return []
    if position.object is not None:
        plans = [position.object]
    else:
        plans = list((position.possible or {}).values())
    told = [plan for plan in plans if plan.uses == 1 and is_told_by_type(position, plan)]
    fewest = min([len(plan.fields) for plan in told], default=0)
    # Whoever selects more of a type than of others expects to meet it.
    told.sort(key=lambda plan: len(plan.fields) == fewest)
    return told[:MOST_TYPES]
