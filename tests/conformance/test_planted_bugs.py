"""The kit can fail: each planted bug turns the test red that is there to find it."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from app.backends.conformance import ConformanceTests
from app.backends.conformance.subject import Subject
from tests.conformance.planted import PLANTED_BUGS, PlantedBug
from tests.conformance.reference import ReferenceBackend, ReferenceStore
from tests.conformance.reference_session import StoredSession


def run_kit_test(backend: type[ReferenceBackend], name: str, values: Mapping[str, Any]) -> None:
    """Runs one test of the kit on a fresh store, as pytest would, with its final check."""
    stores: defaultdict[str, ReferenceStore] = defaultdict(ReferenceStore)

    async def open_store(store: str) -> ReferenceBackend:
        return backend(stores[store])

    test = getattr(ConformanceTests, name)
    with asyncio.Runner() as runner:
        subject = Subject(open_store)
        fixtures: dict[str, Callable[[], Any]] = {
            "loop_runner": lambda: runner,
            "backend": lambda: runner.run(subject.open()),
            "reopen": lambda: subject.reopen,
            "another_store": lambda: subject.open_another,
        }
        wanted = list(inspect.signature(test).parameters)[1:]
        test(
            ConformanceTests(),
            **{one: values[one] if one in values else fixtures[one]() for one in wanted},
        )
        runner.run(subject.finish())


def cases_of(name: str) -> Iterator[dict[str, Any]]:
    """Yields every combination of parameters that a test of the kit is run with."""
    marks = [
        mark
        for mark in getattr(getattr(ConformanceTests, name), "pytestmark", [])
        if mark.name == "parametrize"
    ]
    axes: list[list[dict[str, Any]]] = []
    for mark in marks:
        names, values = mark.args
        if isinstance(names, str):
            axes.append([{names: value} for value in values])
        else:
            axes.append([dict(zip(names, value, strict=True)) for value in values])
    for combination in itertools.product(*axes):
        yield {name: value for part in combination for name, value in part.items()}


@pytest.mark.parametrize("bug", PLANTED_BUGS, ids=lambda bug: bug.__name__)
def test_a_planted_bug_turns_its_test_red(
    bug: type[PlantedBug], monkeypatch: pytest.MonkeyPatch
) -> None:
    for case in cases_of(bug.red):
        run_kit_test(ReferenceBackend, bug.red, case)
    for name, method in bug.in_session.items():
        monkeypatch.setattr(StoredSession, name, inspect.unwrap(method))
    red = []
    for case in cases_of(bug.red):
        try:
            run_kit_test(bug, bug.red, case)
        except (AssertionError, pytest.fail.Exception):
            red.append(case)
    assert red, f"{bug.red} does not notice: {bug.__doc__}"


def test_there_are_bugs_for_most_of_the_kit() -> None:
    assert len(PLANTED_BUGS) >= 30
    assert len({bug.red for bug in PLANTED_BUGS}) >= 25
