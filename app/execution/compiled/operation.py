"""The plans of one operation, made when it is run again, and what became of its runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from graphql.execution.values import VariableValues

from app.execution.compiled.shape import CONDITIONS, SIZE, Shape, shape_of

if TYPE_CHECKING:
    from app.execution.compiled.budget import PlanBudget
    from app.execution.compiled.compiler import Compiler
    from app.execution.compiled.plan import Plan
    from app.execution.document import Prepared

MOST_PLANS = 8
"""Plans of one operation, one for each combination of its conditions that requests have had."""

Conditions: TypeAlias = tuple[object, ...]
"""The values of the variables that decide which fields are selected."""

FIRST_RUNS = "first run"


@dataclass(frozen=True, slots=True)
class ExecutionOptions:
    """How operations are run; what they answer is the same."""

    compiled: bool = True
    """Off, every operation is run by graphql-core's executor."""
    runs_before_compiling: int = 1
    """Compiling costs as much as some runs, and most different documents are seen once."""
    plan_characters: int = 1_000_000
    """Generated source of all plans; one takes some ten bytes of memory a character."""


@dataclass(slots=True)
class Statistics:
    """Counters of one executor since it was made; all but `open_subscriptions` only rise."""

    operations: dict[str, int] = field(default_factory=dict)
    """Operations that were run, by kind; a subscription counts once."""
    open_subscriptions: int = 0
    document_hits: int = 0
    document_misses: int = 0
    plans: int = 0
    """Plans compiled."""
    compiled_runs: int = 0
    """Runs of a plan; each event of a subscription is one."""
    fallbacks: dict[str, int] = field(default_factory=dict)
    """Runs that went graphql-core's way, by reason: `first run`, `introspection`, `directive`,
    `conditions` or `size`."""

    def begin(self, kind: str) -> None:
        """Counts an operation that is run."""
        self.operations[kind] = self.operations.get(kind, 0) + 1

    def fall_back(self, reason: str) -> None:
        """Counts a run that goes graphql-core's way."""
        self.fallbacks[reason] = self.fallbacks.get(reason, 0) + 1


class CompiledOperation:
    """What compiling one operation has come to so far. Kept with its document and no longer."""

    __slots__ = ("__weakref__", "_plans", "_runs", "_shape", "_too_large")

    def __init__(self) -> None:
        self._runs = 0
        self._shape: Shape | None = None
        self._plans: dict[Conditions, tuple[Plan, int]] = {}
        self._too_large = False

    def plan(
        self,
        compiler: Compiler,
        budget: PlanBudget,
        prepared: Prepared,
        variables: VariableValues,
        options: ExecutionOptions,
        statistics: Statistics,
    ) -> Plan | None:
        """Returns the plan for a request, or None for graphql-core's way, which is counted."""
        self._runs += 1
        if self._runs <= options.runs_before_compiling:
            statistics.fall_back(FIRST_RUNS)
            return None
        if self._shape is None:
            self._shape = shape_of(prepared.operation, prepared.fragments)
        if self._shape.refusal is not None:
            statistics.fall_back(self._shape.refusal)
            return None
        coerced = variables.coerced
        names = self._shape.conditions
        conditions = tuple([coerced.get(name) for name in names]) if names else ()
        kept = self._plans.get(conditions)
        if kept is not None:
            plan: Plan | None = kept[0]
            budget.use(kept[1])
        else:
            if self._too_large:
                statistics.fall_back(SIZE)
                return None
            if len(self._plans) >= MOST_PLANS or not all(type(c) is bool for c in conditions):
                statistics.fall_back(CONDITIONS)
                return None
            plan = compiler.compile(prepared, variables)
            if plan is None:
                self._too_large = True
                statistics.fall_back(SIZE)
                return None
            statistics.plans += 1
            number = budget.keep(self, conditions, plan.characters)
            self._plans[conditions] = (plan, number)
        statistics.compiled_runs += 1
        return plan

    def drop(self, conditions: Conditions) -> None:
        """Forgets a plan; it is made again when it is needed."""
        self._plans.pop(conditions, None)
