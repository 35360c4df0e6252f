"""What every planted bug is: the reference model with one thing wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from tests.conformance.reference import ReferenceBackend


class PlantedBug(ReferenceBackend):
    """A reference model with a defect.

    `red` names the test of the kit that must fail, in one of its cases at least. `in_session`
    replaces methods of the model's sessions.
    """

    red: ClassVar[str]
    in_session: ClassVar[Mapping[str, Callable[..., Any]]] = {}
