"""What a resolver is told of its field, found out only when it asks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, Generic, TypeVar

from graphql import GraphQLResolveInfo
from graphql.pyutils import Path
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info

from app.execution.compiled.paths import LinkedPath, lazy_path
from app.execution.compiled.plan import FieldPlan
from app.execution.compiled.run import CompiledRun
from app.execution.selection import names_under
from app.execution.strawberry_schema import DirectCall

T = TypeVar("T")


class LazyInfo(Info[Any, Any]):
    """Strawberry's info for one call of a resolver.

    Most resolvers ask for the context alone, and the rest is a dozen objects.
    """

    context: Any = None
    """The context of the operation; an attribute, because all ask for it, some several times."""

    def __init__(self, run: CompiledRun, field: FieldPlan, before: LinkedPath | None) -> None:
        self.context = run.context
        self._run = run
        self._plan = field
        self._before = before

    @property
    def root_value(self) -> Any:
        """The root value: None, or the event of a subscription."""
        return self._run.root_value

    @property
    def path(self) -> Path:
        """The path of the field in the response."""
        return lazy_path((self._before, self._plan.key, self._plan.typename))

    def from_selection(self, wanted: FromSelection[T]) -> T:
        """Returns what is wanted of the selection below the field; found out once a plan."""
        plan = self._plan
        known = plan.from_selection
        if wanted in known:
            made: T = known[wanted]
            return made
        fragments = self._run.prepared.fragment_definitions
        made = known[wanted] = wanted.make(names_under(plan.nodes, wanted.path, fragments))
        return made

    @property
    def _field(self) -> StrawberryField:  # type: ignore[override]
        call = self._plan.call
        if not isinstance(call, DirectCall):
            raise TypeError("Only a direct call is told of its field in this way.")
        return call.field

    @cached_property
    def _raw_info(self) -> GraphQLResolveInfo[Any]:  # type: ignore[override]
        plan = self._plan
        return plan.info(self._run, (self._before, plan.key, plan.typename))


class FromSelection(ABC, Generic[T]):
    """Something that the names of the fields selected under a path of field names decide."""

    path: tuple[str, ...] = ()

    @abstractmethod
    def make(self, names: frozenset[str]) -> T:
        """Returns it, always the same for the same names."""

    def of(self, info: Info[Any, Any]) -> T:
        """Returns it for the selection below an info's field.

        The same whichever way the operation is run; see `names_under` for what is not looked at.
        """
        if isinstance(info, LazyInfo):
            return info.from_selection(self)
        core = info._raw_info
        return self.make(names_under(core.field_nodes, self.path, core.fragments))
