"""What is said of a store that can't be used: one line that names it and says what to do.

Read-only and full disks are real ones, mounted where the test alone sees them.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.cli.conftest import PROGRAM, Scrollback, environment
from tests.databases import DatabaseServer

LOCAL = ["sqlite:///disk/store.db", "file:///disk/store"]
SECRET = "s3cret"  # noqa: S105 - that of nobody
NEWER = "is of version 9999, written by a newer Scrollback"


def expect_one_line(told: subprocess.CompletedProcess[str], *words: str) -> None:
    """The command failed with the code of an unusable store, in one line with these words."""
    assert told.returncode == 2, told.stderr
    assert told.stderr.startswith("Error: ")
    assert told.stderr.count("\n") == 1, told.stderr
    assert [word for word in words if word not in told.stderr] == [], told.stderr
    assert SECRET not in told.stderr


def own_mounts() -> list[str]:
    """Returns the command under which what is mounted is seen by nobody else; skips without it."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    command = ["unshare", "--map-root-user", "--mount"]
    mounting = [*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    if subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount anything, even for itself")
    return command


def on_disk(folder: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    """Runs lines of a shell in a folder where they may mount `disk`."""
    (folder / "disk").mkdir()
    scrollback = f'scrollback() {{ {shlex.quote(PROGRAM)} "$@"; }}'
    return subprocess.run(
        [*own_mounts(), "sh", "-c", "\n".join(["set -e", scrollback, *lines])],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("store", LOCAL)
@pytest.mark.parametrize("made", [True, False])
def test_a_store_on_a_read_only_disk(store: str, made: bool, tmp_path: Path) -> None:
    told = on_disk(
        tmp_path,
        "mount -t tmpfs tmpfs disk",
        f"scrollback migrate --store {store} > made" if made else "",
        "mount -o remount,ro disk",
        f"scrollback migrate --store {store}",
    )
    expect_one_line(told, store.partition(":///")[2], "mounted read-only", "mount it for writing")


def import_into_little_room(store: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Imports ten conversations into a store on a disk that is too small for them."""
    said = {"role": "user", "content": "word " * 20_000}
    lines = [json.dumps({"messages": [said] * 4}) for _ in range(10)]
    (folder / "chats.jsonl").write_text("\n".join(lines))
    return on_disk(
        folder,
        "mount -t tmpfs -o size=1500k,nr_inodes=2000 tmpfs disk",
        f"scrollback import openai chats.jsonl --quiet --store {store}",
    )


def test_an_sqlite_store_on_a_full_disk(tmp_path: Path) -> None:
    store = "sqlite:///disk/store.db"
    told = import_into_little_room(store, tmp_path)
    expect_one_line(told, store, "disk is full", "nothing was changed", "make room")


def test_a_store_of_files_on_a_full_disk(tmp_path: Path) -> None:
    told = import_into_little_room("file:///disk/store", tmp_path)
    assert told.returncode == 1
    refused = told.stderr.splitlines()
    assert refused
    for line in refused:
        assert line.startswith("chats.jsonl:")
        assert "the disk is full; make room and try again" in line


@pytest.mark.parametrize("store", LOCAL)
def test_a_store_that_does_not_fit_on_its_disk(store: str, tmp_path: Path) -> None:
    told = on_disk(
        tmp_path,
        "mount -t tmpfs -o size=16k,nr_inodes=400 tmpfs disk",
        f"scrollback migrate --store {store}",
    )
    expect_one_line(told, store.partition(":///")[2], "full", "make room")


def test_an_sqlite_store_of_a_newer_version(scrollback: Scrollback, tmp_path: Path) -> None:
    scrollback("migrate")
    connection = sqlite3.connect(tmp_path / "scrollback.db")
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    expect_one_line(scrollback("doctor"), f"scrollback.db {NEWER}", "upgrade Scrollback")


def test_a_store_of_files_of_a_newer_version(scrollback: Scrollback, tmp_path: Path) -> None:
    scrollback("migrate", "--store", "file:///store")
    (tmp_path / "store" / "FORMAT").write_text("scrollback files 9999\n")
    told = scrollback("doctor", "--store", "file:///store")
    expect_one_line(told, f"the store store {NEWER}", "upgrade Scrollback")


@pytest.fixture
async def database(server: DatabaseServer) -> str:
    """The URL of an empty database, with a password that its server may not ask for."""
    return await server.fresh("cli")


async def test_a_store_of_a_server_of_a_newer_version(
    scrollback: Scrollback, server: DatabaseServer, database: str
) -> None:
    scrollback("migrate", "--store", database)
    await server.execute_in(make_url(database), "UPDATE alembic_version SET version_num = '9999'")
    told = scrollback("doctor", "--store", database)
    await server.forget("cli")
    expect_one_line(told, NEWER, f"/{make_url(database).database}", "upgrade Scrollback")


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[str]:
    """The name of a database that another program has for itself."""
    connection = sqlite3.connect(tmp_path / "locked.db", isolation_level=None)
    connection.execute("CREATE TABLE t (x)")
    connection.execute("BEGIN EXCLUSIVE")
    yield "locked.db"
    connection.close()


def test_an_sqlite_store_that_another_program_has_locked(
    scrollback: Scrollback, locked: str
) -> None:
    told = scrollback("migrate", "--store", f"sqlite:///{locked}")
    expect_one_line(told, f"{locked} is locked by another program", "stop it, or try again later")


def test_a_store_of_files_that_another_process_has_for_itself(
    scrollback: Scrollback, tmp_path: Path
) -> None:
    import fcntl

    scrollback("migrate", "--store", "file:///store")
    with (tmp_path / "store" / "locks" / "processes").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        told = scrollback("doctor", "--store", "file:///store")
    expect_one_line(told, "store is open in another process", "stop the other first")


@pytest.mark.parametrize("scheme", ["postgresql", "mariadb"])
def test_a_server_that_is_not_there(scrollback: Scrollback, scheme: str) -> None:
    told = scrollback("migrate", "--store", f"{scheme}://ana:{SECRET}@127.0.0.1:9/chats")
    expect_one_line(told, "127.0.0.1/chats can't be reached", "is the server running there?")


@pytest.mark.parametrize("scheme", ["postgresql", "mariadb"])
def test_an_option_that_makes_no_sense(scrollback: Scrollback, scheme: str) -> None:
    told = scrollback("migrate", "--store", f"{scheme}://ana:{SECRET}@127.0.0.1/chats?pool=0")
    expect_one_line(told, "pool=0", "a whole number from 1 to 1,000")
