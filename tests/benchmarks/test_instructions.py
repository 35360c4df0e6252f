"""The counts of a request are those of all, shared out, and need nothing but Valgrind."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.instructions import Counts, read_counts

DUMP = """# callgrind format
version: 1
positions: line
events: Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw
fn=(1) main
10 5 1 1 0 0 0 0 0 0
totals: 1000 300 200 10 20 30 1 2 3
"""


def test_counts_are_shared_out_among_the_requests(tmp_path: Path) -> None:
    dump = tmp_path / "counts.1"
    dump.write_text(DUMP)
    counts = read_counts(dump, 10)
    assert counts == Counts(instructions=100, first_misses=6, last_misses=0.6)
    assert counts.cost == 100 + 60 + 60


def test_a_file_without_totals_is_refused(tmp_path: Path) -> None:
    dump = tmp_path / "counts.1"
    dump.write_text("version: 1\n")
    with pytest.raises(ValueError, match="has no totals"):
        read_counts(dump, 10)


def test_without_valgrind_it_says_what_to_install() -> None:
    done = run({"PATH": "/nowhere"})
    assert done.returncode == 2
    assert "Valgrind is not installed" in done.stderr


@pytest.mark.skipif(shutil.which("callgrind_control") is None, reason="Valgrind is not installed")
def test_one_command_counts_a_request_of_ours_and_of_the_limit() -> None:
    small = ["--sessions", "10", "--messages", "200", "--requests", "32"]
    done = run(None, "--only", "append", *small)
    assert done.returncode == 0, done.stderr
    row = r"append\W+{}\W+([\d,]+)\W+([\d,]+)\W+([\d,]+)\W+([\d,]+)\W+(\d\.\d\d)"
    for server in ("Scrollback", "limit"):
        found = re.search(row.format(server), done.stdout)
        assert found is not None, done.stdout
        assert int(found[1].replace(",", "")) > 10_000


def run(environment: dict[str, str] | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.instructions", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
