"""Folders in memory: where faults are injected, a real disk would only make it slow."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it


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
