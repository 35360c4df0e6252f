"""What completes a value at a place, looked up by the value's type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, TypeVar

from app.execution.compiled.class_tests import class_tested_for, names_class
from app.execution.compiled.job import open_job
from app.execution.compiled.kinds import AWAITABLE, KINDS, PLAIN
from app.execution.compiled.values import complete_value

if TYPE_CHECKING:
    from app.execution.compiled.job import Complete
    from app.execution.compiled.paths import LinkedPath
    from app.execution.compiled.plan import ObjectPlan, Position
    from app.execution.compiled.run import CompiledRun

V = TypeVar("V")

KEPT_TYPES: Final = 200
"""Types are kept alive by the table, so a place that meets types without end empties it."""


class _ByType(dict[type, V], ABC):
    """What is known of each type of value met so far at one place."""

    __slots__ = ("_position",)

    def __init__(self, position: Position) -> None:
        super().__init__()
        self._position = position

    def __missing__(self, type_: type[Any]) -> V:
        if len(self) >= KEPT_TYPES:
            self.clear()
        found = self[type_] = self._find(self._position, type_)
        return found

    @abstractmethod
    def _find(self, position: Position, type_: type[Any]) -> V:
        """Returns what is known of a type that was not met before."""


class CompletionByType(_ByType["Complete"]):
    """The completion of each type of value met so far at one place.

    Where a value's type decides the object type, it is the generated function itself.
    """

    __slots__ = ()

    def _find(self, position: Position, type_: type[Any]) -> Complete:
        return _completion(position, type_)


class CompletionOfAwaited(_ByType["Complete"]):
    """The completion of each type of value met so far that was awaited at one place."""

    __slots__ = ()

    def _find(self, position: Position, type_: type[Any]) -> Complete:
        return position.by_type[type_] if KINDS[type_] == PLAIN else position.complete


class PlanByType(_ByType[int]):
    """The number of the plan for each type of value met so far at one place.

    0 where that is not certain: the value may be null, an error or awaited, or has to be asked.
    """

    __slots__ = ()

    def _find(self, position: Position, type_: type[Any]) -> int:
        plan = _certain_plan(position, type_) if KINDS[type_] == PLAIN else None
        return 0 if plan is None else plan.number


def is_told_by_type(position: Position, plan: ObjectPlan) -> bool:
    """Tells whether a value's type may be enough to know that it is of a plan's object type."""
    if position.possible is not None and (
        position.resolve_type is None or not names_class(position.resolve_type)
    ):
        return False
    predicate = plan.type.is_type_of
    return predicate is None or class_tested_for(predicate) is not None


def _completion(position: Position, type_: type[Any]) -> Complete:
    kind = KINDS[type_]
    if kind == PLAIN:
        plan = _certain_plan(position, type_)
        return position.plain if plan is None else plan.build
    if kind == AWAITABLE:
        return lambda run, value, path: open_job(run, position, value, path)

    def complete(run: CompiledRun, value: Any, path: LinkedPath) -> Any:
        return complete_value(run, position, value, path)

    return complete


def _certain_plan(position: Position, type_: type[Any]) -> ObjectPlan | None:
    """Returns the plan of all values of a type, None where each has to be asked."""
    plan = position.object
    if position.possible is not None:
        if position.resolve_type is None or not names_class(position.resolve_type):
            return None
        plan = position.possible.get(type_.__name__)
    if plan is None or plan.type.is_type_of is None:
        return plan
    tested = class_tested_for(plan.type.is_type_of)
    return plan if tested is not None and issubclass(type_, tested) else None
