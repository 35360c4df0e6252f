"""The same random programs have the same course on every backend, byte for byte."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from app.backends.conformance import OpenNamed
from app.backends.files import compaction
from app.backends.open import open_backend
from app.backends.protocol import Backend
from tests.conformance.machine import StoreMachine
from tests.conformance.planted.bug import PlantedBug
from tests.conformance.planted.moving import LoadOverwrites
from tests.conformance.planted.reading import FlagByCount, InclusiveBound, LogFromItsPosition
from tests.conformance.reference import ReferenceBackend, ReferenceStore
from tests.databases import DatabaseServer
from tests.torture import FULL
from tests.torture.conftest import memory_folder

EXAMPLES, STEPS = (500, 50) if FULL else (15, 25)


def open_by_url(pattern: str) -> OpenNamed:
    """Returns what opens stores by a URL in which `{}` is their name."""
    return lambda name: open_backend(pattern.format(name))


def open_reference(model: type[ReferenceBackend] = ReferenceBackend) -> OpenNamed:
    """Returns what opens stores of the reference model, or of one with a defect."""
    stores: dict[str, ReferenceStore] = {}

    async def open_named(name: str) -> Backend:
        return model(stores.setdefault(name, ReferenceStore()))

    return open_named


def openers_in(folder: Path, servers: Mapping[str, DatabaseServer]) -> dict[str, OpenNamed]:
    """Returns what opens new stores of every kind, the reference model first."""
    return {
        "reference": open_reference(),
        "sqlite": open_by_url(f"sqlite:///{folder}/{{}}.db"),
        "files": open_by_url(f"file:///{folder}/{{}}"),
        "memory": open_by_url(f"memory://{folder.name}-{{}}"),
        **{kind: server.open_stores() for kind, server in servers.items()},
    }


def run_programs(
    choose: Callable[[Path], Mapping[str, OpenNamed]], examples: int, **further: Any
) -> None:
    """Runs random programs on the stores that are chosen, new ones for each."""
    with memory_folder() as folder, asyncio.Runner() as runner:
        numbers = itertools.count()

        def machine() -> StoreMachine:
            mine = folder / f"{folder.name}-{next(numbers)}"
            mine.mkdir()
            return StoreMachine(runner, choose(mine))

        run_state_machine_as_test(
            machine,  # type: ignore[arg-type] # a factory will do
            settings=settings(
                max_examples=examples,
                stateful_step_count=STEPS,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
                **further,
            ),
        )


def test_a_program_has_the_same_course_on_every_backend(
    postgresql: DatabaseServer, mariadb: DatabaseServer
) -> None:
    servers = {"postgresql": postgresql, "mariadb": mariadb}
    run_programs(lambda folder: openers_in(folder, servers), EXAMPLES)


def test_so_it_has_where_files_are_sealed_and_compacted_all_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compaction, "ROLL_BYTES", 3000)
    monkeypatch.setattr(compaction, "WORTH_BYTES", 300)
    run_programs(lambda folder: openers_in(folder, {}), 2 * EXAMPLES)


@pytest.mark.parametrize(
    "bug",
    [FlagByCount, InclusiveBound, LoadOverwrites, LogFromItsPosition],
)
def test_a_planted_bug_is_caught(bug: type[PlantedBug]) -> None:
    openers = {"reference": open_reference, "planted": lambda: open_reference(bug)}
    with pytest.raises(AssertionError, match=r"^planted answers otherwise"):
        run_programs(
            lambda _: {name: opener() for name, opener in openers.items()},
            60,
            phases=[Phase.generate],
            derandomize=True,
            database=None,
            report_multiple_bugs=False,
        )
