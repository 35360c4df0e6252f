"""A bound on the memory of all plans of an executor."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING
from weakref import ref

if TYPE_CHECKING:
    from app.execution.compiled.operation import CompiledOperation, Conditions


class PlanBudget:
    """Counts the source of plans, and takes the least recently used from their operations.

    Holds neither plans nor operations: a document that leaves its cache takes its plans along.
    """

    def __init__(self, characters: int) -> None:
        self._characters = characters
        self._held = 0
        self._kept: OrderedDict[int, tuple[ref[CompiledOperation], Conditions, int]] = OrderedDict()
        self._next = 0

    def keep(self, operation: CompiledOperation, conditions: Conditions, characters: int) -> int:
        """Notes a new plan, drops what there is no more room for, and returns its number."""
        self._next += 1
        self._kept[self._next] = (ref(operation), conditions, characters)
        self._held += characters
        while self._held > self._characters and len(self._kept) > 1:
            _number, (owner, dropped, freed) = self._kept.popitem(last=False)
            self._held -= freed
            holder = owner()
            if holder is not None:
                holder.drop(dropped)
        return self._next

    def use(self, number: int) -> None:
        """Notes that a plan was used."""
        self._kept.move_to_end(number)
