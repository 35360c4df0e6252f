"""Other packages add backends: installed beside Scrollback, one is opened by its scheme.

The package is the worked example of docs/backends.md.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from app.backends import open as opening
from app.backends.open import known_schemes, migrate_store, open_backend
from app.model.errors import StoreUnusable

EXAMPLE = Path(__file__).parents[1] / "data" / "third-party"
SCROLLBACK = str(Path(sys.executable).with_name("scrollback"))

Run = Callable[..., subprocess.CompletedProcess[str]]


def install(folder: Path, entry_points: dict[str, str], *, name: str) -> None:
    """Writes what an installer leaves of a package: its name and its entry points."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{scheme} = {target}" for scheme, target in entry_points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[scrollback.backends]", *lines, ""]))


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder of installed packages that has the example."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    folder = tmp_path / "packages"
    install(folder, project["entry-points"]["scrollback.backends"], name=project["name"])
    shutil.copy(EXAMPLE / "scrollback_snapshot.py", folder)
    return folder


@pytest.fixture
def run(installed: Path, tmp_path: Path) -> Run:
    """Runs a command where the example is installed."""
    environment = {one: value for one, value in os.environ.items() if "SCROLLBACK_" not in one}

    def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            arguments,
            cwd=tmp_path,
            env={**environment, "PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run_command


def test_the_example_passes_the_kit(run: Run, tmp_path: Path) -> None:
    ended = run(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
        *("-p", "app.backends.conformance.plugin", "--pyargs", "app.backends.conformance"),
        *("--backend-url", f"snapshot:///{tmp_path}/store.jsonl"),
    )
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr
    assert list(tmp_path.glob("store-*.jsonl"))


@pytest.mark.parametrize("name", ["pyproject.toml", "scrollback_snapshot.py"])
def test_the_example_is_the_one_that_the_documentation_shows(name: str) -> None:
    page = EXAMPLE.parents[2] / "docs" / "backends.md"
    assert (EXAMPLE / name).read_text() in page.read_text()


def test_its_stores_are_copied_and_verified_like_any(run: Run, tmp_path: Path) -> None:
    chats = tmp_path / "chats.jsonl"
    chats.write_text('{"key": "one", "messages": [{"role": "user", "content": "Hello"}]}\n')
    ours, theirs = "sqlite:///ours.db", "snapshot:///theirs.jsonl"
    for command in (
        ("import", "openai", "chats.jsonl", "--store", ours),
        ("copy", ours, theirs),
        ("verify", ours, theirs),
        ("doctor", "--store", theirs),
    ):
        ended = run(SCROLLBACK, *command)
        assert ended.returncode == 0, ended.stderr
    exported = run(SCROLLBACK, "export", "--quiet", "--store", ours).stdout
    assert (tmp_path / "theirs.jsonl").read_text() == exported


def test_a_command_that_only_reads_makes_no_store_of_it(run: Run, tmp_path: Path) -> None:
    ended = run(SCROLLBACK, "doctor", "--store", "snapshot:///missing.jsonl")
    assert (ended.returncode, ended.stderr) == (2, "Error: there is no store at missing.jsonl\n")
    assert not (tmp_path / "missing.jsonl").exists()


async def test_a_scheme_is_known_once_its_package_is_there(
    installed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(StoreUnusable, match=r"no backend for 'snapshot'.* sqlite"):
        await open_backend("snapshot:///x.jsonl")
    assert "snapshot" not in known_schemes()
    monkeypatch.syspath_prepend(installed)
    assert "snapshot" in known_schemes()
    backend = await open_backend(f"snapshot:///{tmp_path}/x.jsonl")
    assert backend.capabilities.name == "snapshot"
    await backend.close()
    assert await migrate_store(f"snapshot:///{tmp_path}/x.jsonl") is None


async def test_two_packages_for_one_scheme_are_named(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(installed, {"snapshot": "other:open_other"}, name="another-snapshot")
    monkeypatch.syspath_prepend(installed)
    named = "another-snapshot and scrollback-snapshot both open stores at snapshot://"
    with pytest.raises(StoreUnusable, match=named):
        await open_backend("snapshot:///x.jsonl")


@pytest.mark.parametrize("target", ["not_there_at_all:open_it", "scrollback_snapshot:not_there"])
async def test_a_package_that_can_not_be_loaded_is_named(
    installed: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    install(installed, {"broken": target}, name="broken-package")
    monkeypatch.syspath_prepend(installed)
    with pytest.raises(StoreUnusable, match="broken-package, which opens stores at broken://"):
        await open_backend("broken:///x")


async def test_no_package_takes_a_scheme_of_ours(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(installed, {"memory": "scrollback_snapshot:open_snapshot"}, name="thief")
    monkeypatch.syspath_prepend(installed)
    backend = await open_backend("memory://third-party")
    assert backend.capabilities.name == "memory"


async def test_a_missing_driver_is_named_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def import_driver(url: str, migrate: bool) -> opening.Opened:
        raise ModuleNotFoundError("No module named 'asyncpg'", name="asyncpg")

    lacking = opening._Scheme(import_driver, extra="postgresql")
    monkeypatch.setattr(opening, "_SCHEMES", {"postgresql": lacking})
    with pytest.raises(StoreUnusable) as refused:
        await open_backend("postgresql://user:secret@host/db")
    assert str(refused.value) == (
        "a store at postgresql:// needs the package asyncpg, which is not installed: "
        'run `pip install ".[postgresql]"` in the folder of the project'
    )
