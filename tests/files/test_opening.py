"""Opening a store of files: what is refused, and with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.backends.conformance.samples import created, done, records_of
from app.backends.files import open as opening
from app.backends.files.open import open_files, open_url
from app.backends.files.policy import Durability, Policy, parse_policy
from app.backends.mounts import file_system_of
from app.backends.open import open_backend
from app.model.errors import StoreUnusable


async def test_a_url_opens_a_store(tmp_path: Path) -> None:
    backend = await open_backend(f"file:///{tmp_path / 'store'}?durability=os")
    await done(backend, created())
    await backend.close()
    again = await open_backend(f"file:///{tmp_path / 'store'}", migrate=False)
    assert len(await records_of(again)) > 0
    await again.close()
    assert (tmp_path / "store" / "FORMAT").read_text() == "scrollback files 1\n"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("file:///", "names no folder"),
        ("file://host/dir", "names no folder"),
        ("file:///dir?durability=never", "write always, interval=N"),
        ("file:///dir?durability=interval=0", "write always, interval=N"),
        ("file:///dir?colour=red", "colour=red is unknown"),
        ("file:////nowhere/at/all", "does not exist"),
    ],
)
async def test_a_wrong_url_is_refused(url: str, words: str) -> None:
    with pytest.raises(StoreUnusable, match=words):
        await open_url(url, migrate=True)


def test_policies_are_read() -> None:
    assert parse_policy("always") == Policy(Durability.ALWAYS)
    assert parse_policy("interval=200") == Policy(Durability.INTERVAL, 200)
    assert parse_policy("os") == Policy(Durability.OS)


async def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(StoreUnusable, match="something else"):
        await open_files(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


async def test_a_sqlite_that_cannot_search_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "TEXT_TABLES", "CREATE VIRTUAL TABLE t USING no_such_module (x)")
    with pytest.raises(StoreUnusable, match="can't search texts: use one with FTS5"):
        await open_files(tmp_path / "store")
    assert not (tmp_path / "store").exists()


async def test_a_missing_store_is_not_made_without_leave(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="there is no store"):
        await open_files(tmp_path / "store", migrate=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [("scrollback files 2\n", "newer"), ("gibberish", "damaged"), ("\ufffd", "damaged")],
)
async def test_a_version_that_is_not_known_is_refused(
    tmp_path: Path, text: str, words: str
) -> None:
    backend, _ = await open_files(tmp_path / "store")
    await backend.close()
    (tmp_path / "store" / "FORMAT").write_text(text)
    with pytest.raises(StoreUnusable, match=words):
        await open_files(tmp_path / "store")


async def test_one_process_alone_keeps_others_out(tmp_path: Path) -> None:
    alone, _ = await open_files(tmp_path / "store", single_process=True)
    assert not alone.capabilities.several_processes.supported
    with pytest.raises(StoreUnusable, match="single-process"):
        await open_files(tmp_path / "store")
    await alone.close()
    shared, _ = await open_files(tmp_path / "store")
    with pytest.raises(StoreUnusable, match="single-process"):
        await open_files(tmp_path / "store", single_process=True)
    await shared.close()


async def test_a_network_file_system_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.backends.mounts.file_system_of", lambda path: "nfs4")
    with pytest.raises(StoreUnusable, match=r"network file system \(nfs4\)"):
        await open_files(tmp_path / "store")
    alone, _ = await open_files(tmp_path / "store", single_process=True)
    await alone.close()


def test_the_file_system_of_a_path_is_that_of_its_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    inner = tmp_path.resolve() / "inner"
    mounts.write_text(
        f"1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 0:5 / {inner} rw shared:1 - nfs4 host:/x rw\n"
    )
    assert file_system_of(inner / "store", mounts) == "nfs4"
    assert file_system_of(tmp_path, mounts) == "ext4"
    assert file_system_of(tmp_path, tmp_path / "absent") is None


@pytest.mark.parametrize("durability", ["interval=20", "os"])
async def test_every_policy_keeps_what_it_acknowledged_over_reopening(
    tmp_path: Path, durability: str
) -> None:
    backend, _ = await open_files(tmp_path / "store", parse_policy(durability))
    await done(backend, created())
    records = await records_of(backend)
    await backend.close()
    again, _ = await open_files(tmp_path / "store")
    assert await records_of(again) == records
    await again.close()
