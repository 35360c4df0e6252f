"""The kit runs by command on stores that are opened by URL, without any code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def run_kit(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a handful of the kit's tests in a process of their own, as a stranger would."""
    plugin = ["-p", "app.backends.conformance.plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", *plugin, "--pyargs"]
    return subprocess.run(
        [*command, "app.backends.conformance", "-k", "key_of_no_owner or true_is", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_kit_runs_on_a_url(tmp_path: Path) -> None:
    ended = run_kit(tmp_path, "--backend-url", f"sqlite:///{tmp_path}/store.db")
    assert "2 passed" in ended.stdout, ended.stdout + ended.stderr
    assert len(list(tmp_path.glob("store-*-store.db"))) == 2


def test_the_name_of_a_store_takes_its_place_in_the_url(tmp_path: Path) -> None:
    ended = run_kit(tmp_path, "--backend-url", f"sqlite:///{tmp_path}/kit-{{name}}.sqlite")
    assert "2 passed" in ended.stdout, ended.stdout + ended.stderr
    assert len(list(tmp_path.glob("kit-*-store.sqlite"))) == 2


def test_without_a_url_it_says_what_is_missing(tmp_path: Path) -> None:
    ended = run_kit(tmp_path)
    assert ended.returncode == 1
    assert "say which backend to test: --backend-url URL" in ended.stdout
