"""Planted bugs: each mistake that the design rules out is caught by what guards against it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.backends.files import append
from app.backends.files.system import System
from app.model.errors import ScrollbackError
from tests.torture.faulty_system import Fault
from tests.torture.story import STORY, opened, states
from tests.torture.test_faults import ACTS, act_with_fault, hold_to_story


async def test_ignoring_a_short_write_is_caught(
    memory_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_and_hope(
        system: System, path: Path, descriptor: int, data: bytes, *_: object, **__: object
    ) -> None:
        system.write(descriptor, data)

    expected = await states()
    act = ACTS.index("append")
    backend = await opened(memory_path / "store")
    for name in ACTS[:act]:
        await STORY[name](backend)
    await backend.close()
    shutil.copytree(memory_path / "store", memory_path / "dry")
    _, calls = await act_with_fault(memory_path / "dry", act, None, 0)
    monkeypatch.setattr(append, "_write", write_and_hope)
    failure, _ = await act_with_fault(
        memory_path / "store", act, Fault.SHORT_WRITE, calls.index("write")
    )
    assert failure is None, "the planted bug acknowledges"
    with pytest.raises((AssertionError, ScrollbackError)):
        await hold_to_story(memory_path / "store", act, failure, expected)
