"""Folders in memory, where a real disk would only make faults slow, and how far a test has got."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.torture import FULL, Progress

_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
_SECONDS_BETWEEN = 10.0


@contextmanager
def memory_folder() -> Iterator[Path]:
    """Gives a folder in memory, or a usual one where there is no such place."""
    place = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as folder:
        yield Path(folder)


@pytest.fixture
def memory_path() -> Iterator[Path]:
    """A folder of the test's own."""
    with memory_folder() as folder:
        yield folder


@pytest.fixture
def progress(request: pytest.FixtureRequest) -> Iterator[Progress]:
    """Says on the terminal, every few seconds, how far the test has got, and where it ended."""
    said = ""
    silent_until = time.monotonic() + _SECONDS_BETWEEN
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say() -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n  {request.node.name}: {said}", file=sys.stderr, flush=True)

    def tell(words: str) -> None:
        nonlocal said, silent_until
        said = words
        if FULL and time.monotonic() >= silent_until:
            silent_until = time.monotonic() + _SECONDS_BETWEEN
            say()

    yield tell
    if FULL and said:
        say()
