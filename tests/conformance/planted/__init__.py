"""Backends with one defect each, of the kind that storage code has been seen to have."""

from __future__ import annotations

from tests.conformance.planted import moving, reading, searching, writing
from tests.conformance.planted.bug import PlantedBug

__all__ = ["PLANTED_BUGS", "PlantedBug"]

PLANTED_BUGS: tuple[type[PlantedBug], ...] = tuple(
    bug
    for module in (reading, searching, writing, moving)
    for bug in vars(module).values()
    if isinstance(bug, type) and issubclass(bug, PlantedBug) and bug is not PlantedBug
)
