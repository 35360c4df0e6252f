"""The real command in a process of its own, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Scrollback = Callable[..., subprocess.CompletedProcess[str]]

PROGRAM = str(Path(sys.executable).with_name("scrollback"))
DATA = Path(__file__).parents[1] / "data"


def environment(**more: str) -> dict[str, str]:
    """Returns this process's environment without settings of Scrollback's."""
    kept = {name: value for name, value in os.environ.items() if "SCROLLBACK_" not in name}
    return {**kept, **more}


@pytest.fixture
def scrollback(tmp_path: Path) -> Scrollback:
    """Runs `scrollback` with arguments and returns its code and output."""

    def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *map(str, arguments)],
            cwd=tmp_path,
            env=environment(**variables),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
