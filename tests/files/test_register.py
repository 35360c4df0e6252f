"""Registers are held to the same promises as sessions."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.backends.conformance.samples import created, done, stream
from app.backends.files.open import open_files
from app.backends.protocol import EVERYTHING, Finding
from app.model.identifiers import UserId
from app.model.session import User

ANA, BEA, CLEO = UserId("ana"), UserId("bea"), UserId("cleo")


async def register(root: Path) -> Path:
    """Makes a store with three people; returns the file that they are in."""
    backend, _ = await open_files(root)
    for one in (ANA, BEA, CLEO):
        await backend.load(stream([User(one, one.title())]))
    await backend.close()
    return root / "registers" / "users.jsonl"


async def look(root: Path) -> tuple[set[UserId], list[Finding]]:
    backend, _ = await open_files(root)
    users = await backend.get_users([ANA, BEA, CLEO], EVERYTHING)
    findings = [finding async for finding in backend.check()]
    await done(backend, created(owner_id=UserId("dora")))
    assert set(await backend.get_users([UserId("dora")], EVERYTHING)) == {"dora"}
    await backend.close()
    return set(users), findings


@pytest.mark.parametrize("index", ["kept", "deleted"])
async def test_a_damaged_record_is_told_and_the_rest_is_there(tmp_path: Path, index: str) -> None:
    root = tmp_path / "store"
    file = await register(root)
    content = file.read_bytes()
    file.write_bytes(content.replace(b"Bea", b"B\xffa"))
    if index == "deleted":
        for path in root.glob("index.db*"):
            path.unlink()
    users, findings = await look(root)
    # What the index still knew goes on being served.
    assert users == ({ANA, BEA, CLEO} if index == "kept" else {ANA, CLEO})
    told = [finding.message for finding in findings if finding.code == "RECORDS_DAMAGED"]
    assert told == ["registers/users.jsonl has lost its records 2 to damage"]
    assert b"B\xffa" in file.read_bytes()


async def test_a_torn_end_is_cut_and_kept_in_quarantine(tmp_path: Path) -> None:
    root = tmp_path / "store"
    file = await register(root)
    content = file.read_bytes()
    file.write_bytes(content + b'{"id": "torn')
    users, findings = await look(root)
    assert users == {ANA, BEA, CLEO}
    assert [finding.code for finding in findings] == ["QUARANTINED"]
    [kept] = (root / "quarantine").iterdir()
    assert kept.read_bytes() == b'{"id": "torn'
    assert file.read_bytes().startswith(content)
