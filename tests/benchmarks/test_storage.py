"""The command that measures storage backends runs through, leaves nothing, and skips by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOBODY = "postgresql://ana:s3cret@127.0.0.1:9/x"


def measure(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a quick measurement whose stores are in a folder."""
    command = [sys.executable, "-m", "benchmarks.storage", "--quick", "--folder", str(folder)]
    return subprocess.run(
        [*command, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_a_quick_run_measures_everything_and_leaves_nothing(tmp_path: Path) -> None:
    told = measure(tmp_path, "--backends", "sqlite", "files", "memory")
    assert told.returncode == 0, told.stderr
    for words in ("appends/s", "files, interval=100", "deep scroll-back", "with the index, 3"):
        assert words in told.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there_is_left_out_by_name(tmp_path: Path) -> None:
    arguments = ("--only", "append", "--backends", "postgresql", "--postgresql", NOBODY)
    told = measure(tmp_path, *arguments)
    assert told.returncode == 0, told.stderr
    assert "postgresql is left out, it can't be reached" in told.stdout
    assert "s3cret" not in told.stdout + told.stderr
