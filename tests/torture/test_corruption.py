"""Random damage to a session's file: no wrong word is served, and what is lost is named exactly."""

from __future__ import annotations

import os
import random
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.backends.conformance.samples import FIRST, SECOND, changed, created, done, said
from app.backends.files import replay, segment
from app.backends.files.backend import FilesBackend
from app.backends.protocol import EVERYTHING
from app.model.changes import AddMessages, EditMessage, RenameSession
from app.model.errors import ScrollbackError
from app.model.events import LogRead
from app.model.identifiers import Sequence
from app.model.message import Message, MessageScope
from app.model.paging import MessagePageRequest, Window
from app.model.parts import TextPart
from tests.torture import FULL, Progress
from tests.torture.story import opened

CASES = 12_000 if FULL else 600
MESSAGES = 24


@dataclass
class Original:
    """A store before the damage: its folder, the session's file, and what it says."""

    root: Path
    file: Path
    content: bytes
    modified: int
    index: bytes
    messages: Mapping[int, Message]
    revision: int


async def messages_in(backend: FilesBackend) -> dict[int, Message]:
    request = MessagePageRequest(FIRST, Window(1000), MessageScope.ALL)
    page = (await backend.page_messages([request], EVERYTHING)).get(request)
    if page is None or isinstance(page, ScrollbackError):
        return {}
    return {int(message.sequence): message for message in page.items}


async def make(root: Path) -> Original:
    backend = await opened(root)
    await done(backend, created(FIRST, messages=[said("opening")], title="Title"))
    for number in range(2, MESSAGES + 1):
        await done(backend, changed(AddMessages((said(f"message {number} " * 4),)), at=number))
    await done(backend, changed(RenameSession("Other title"), at=60))
    edit = EditMessage(Sequence(5), parts=(TextPart("edited words"),), preview="edited words")
    await done(backend, changed(edit, at=61))
    await done(backend, changed(AddMessages((said("the last"),)), at=62))
    await done(backend, created(SECOND, messages=[said("untouched")]))
    messages = await messages_in(backend)
    with backend.store.index.reading() as connection:
        [name] = connection.execute("SELECT name FROM sessions WHERE id = ?", (FIRST,)).fetchone()
    await backend.close()
    file = backend.store.layout.active(name)
    index = (root / "index.db").read_bytes()
    modified = file.stat().st_mtime_ns
    revision = MESSAGES + 4
    return Original(root, file, file.read_bytes(), modified, index, messages, revision)


def damage(content: bytes, chance: random.Random) -> bytes:
    """Returns content with something wrong in it."""
    start = chance.randrange(len(content))
    length = min(chance.choice([1, 1, 1, 2, 8, 64, 512, 4096]), len(content) - start)
    end = start + length
    match chance.randrange(6):
        case 0:
            middle = bytes(chance.randrange(256) for _ in range(length))
        case 1:
            middle = bytes(length)
        case 2:
            middle = b""
        case 3:
            middle = content[start:end] + content[start:end]
        case 4:
            bit = 1 << chance.randrange(8)
            middle = bytes([content[start] ^ bit]) + content[start + 1 : end]
        case _:
            return content[:start]
    return content[:start] + middle + content[end:]


def lost_records(content: bytes, damaged: bytes) -> set[int]:
    """Returns the numbers of the records that are not whole any more, each found by its bytes."""
    lost = set()
    for line in content.splitlines():
        number = re.search(rb'"_seq": (\d+), "_d"', line[-80:])
        assert number is not None
        if line not in damaged:
            lost.add(int(number[1]))
    return lost


async def hold_to_original(original: Original, damaged: bytes, *, index_kept: bool) -> None:
    """Opens the damaged store and compares everything that it serves and says."""
    lost = lost_records(original.content, damaged)
    backend = await opened(original.root)
    try:
        served = await messages_in(backend)
        for sequence, message in served.items():
            if message != original.messages[sequence]:
                # Without the index nobody can know what an edit said that damage has taken.
                assert not index_kept
                assert sequence == 5
                assert MESSAGES + 3 in lost
        findings = [finding async for finding in backend.check()]
        told = " ".join(finding.message for finding in findings)
        missing = original.messages.keys() - served.keys()
        known = (await backend.get_sessions([FIRST], EVERYTHING)).get(FIRST)
        if not lost:
            assert not missing
        elif known is None or isinstance(known, ScrollbackError):
            assert not index_kept or not damaged
            codes = {one.code for one in findings}
            # Of a creation that was never acknowledged, the first two lines, there would be less.
            torn = "QUARANTINED" in codes and damaged.count(b"\n") < 2
            assert "FILE_UNREADABLE" in codes or torn or not damaged
        else:
            named = numbers_after("lost the events ", told)
            # Without the index, records at the end can't be told from ones never acknowledged.
            last = known.revision
            assert named == {number for number in lost if number <= last}, told
            unnamed = {number for number in lost if number > last}
            assert not unnamed or (
                not index_kept and unnamed == set(range(last + 1, original.revision + 1))
            )
            assert (
                missing
                == {sequence for sequence in original.messages if holder_of(sequence) & lost}
                or not index_kept
            )
        if not lost and damaged.replace(b"\n", b"") != original.content.replace(b"\n", b""):
            assert findings, "damage that has taken nothing is not told"
        other = (await backend.get_sessions([SECOND], EVERYTHING))[SECOND]
        assert not isinstance(other, ScrollbackError)
        assert other.message_count == 1
        read = LogRead(FIRST, None, 1000)
        await backend.read_logs([read], EVERYTHING)
    finally:
        await backend.close()


def holder_of(sequence: int) -> set[int]:
    """Returns the number of the record that holds the present words of a message."""
    if sequence == 5:
        return {MESSAGES + 3}
    return {sequence + 1} if sequence <= MESSAGES else {sequence + 3}


def numbers_after(words: str, text: str) -> set[int]:
    found = re.search(re.escape(words) + r"((?:\d+(?: to \d+)?(?:, )?)+)", text)
    numbers: set[int] = set()
    for part in found[1].strip(", ").split(", ") if found else []:
        low, _, high = part.partition(" to ")
        numbers |= set(range(int(low), int(high or low) + 1))
    return numbers


async def run_cases(
    root: Path,
    cases: int,
    *,
    seed: int,
    keep: Path,
    progress: Progress = lambda words: None,
) -> None:
    original = await make(root)
    chance = random.Random(seed)
    for case in range(cases):
        damaged = damage(original.content, chance)
        way = chance.choice(["seen", "silent", "no index"])
        for path in root.glob("index.*"):
            path.unlink()
        for path in (root / "quarantine").iterdir():
            path.unlink()
        if not original.file.exists():
            original.file.touch()
        if way != "no index":
            original.file.write_bytes(original.content)
            os.utime(original.file, ns=(original.modified, original.modified))
            (root / "index.db").write_bytes(original.index)
        with original.file.open("r+b") as file:
            file.truncate(len(damaged))
            file.write(damaged)
        if way == "silent":
            os.utime(original.file, ns=(original.modified, original.modified))
        try:
            await hold_to_original(original, damaged, index_kept=way != "no index")
        except AssertionError as error:
            kept = keep / "failed.jsonl"
            kept.write_bytes(damaged)
            raise AssertionError(f"case {case} of seed {seed}, {way}: {kept}") from error
        progress(f"{case + 1} of {cases} damaged files")


@pytest.mark.parametrize("block", [segment._BLOCK, 256], ids=["read whole", "halved to find"])
async def test_random_damage_is_named_exactly_and_serves_no_wrong_word(
    memory_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    block: int,
    progress: Progress,
) -> None:
    monkeypatch.setattr(segment, "_BLOCK", block)
    monkeypatch.setattr(segment, "_PROBE", block // 16)
    await run_cases(memory_path / "store", CASES, seed=block, progress=progress, keep=tmp_path)


async def test_cutting_what_was_durable_is_caught(
    memory_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: whatever is damaged is cut off, acknowledged or not."""
    monkeypatch.setattr(replay._Walk, "_durable_of", lambda walk, segment: 0)
    with pytest.raises(AssertionError):
        await run_cases(memory_path / "store", 50, seed=1, keep=tmp_path)


async def test_damage_that_took_nothing_is_told_and_no_record_behind_it_given_up(
    memory_path: Path,
) -> None:
    original = await make(memory_path / "store")
    *before, last = original.content.splitlines(keepends=True)
    damaged = b"".join([*before, b"no record\n", before[-1], last])
    original.file.write_bytes(damaged)
    for path in original.root.glob("index.*"):
        path.unlink()
    backend = await opened(original.root)
    assert await messages_in(backend) == original.messages
    [finding] = [finding async for finding in backend.check()]
    assert finding.code == "STRAY_BYTES"
    assert f" {len('no record') + len(before[-1]) - 1} bytes " in finding.message
    assert original.file.read_bytes() == damaged
    await backend.close()


async def test_damage_is_kept_and_the_session_lives_on(memory_path: Path) -> None:
    original = await make(memory_path / "store")
    at = original.content.index(b"message 7 ")
    damaged = original.content[:at] + b"\xff" + original.content[at + 1 :]
    original.file.write_bytes(damaged)
    backend = await opened(original.root)
    served = await messages_in(backend)
    assert set(original.messages) - set(served) == {7}
    assert original.file.read_bytes().startswith(damaged)
    added = await done(backend, changed(AddMessages((said("goes on"),)), at=90))
    assert added.sequences == range(MESSAGES + 2, MESSAGES + 3)
    assert added.position.revision == original.revision + 1
    await backend.close()
    for path in original.root.glob("index.*"):
        path.unlink()
    shutil.copytree(original.root, memory_path / "copy")
    backend = await opened(memory_path / "copy")
    assert set(await messages_in(backend)) == (set(served) | {MESSAGES + 2})
    findings = [finding.message async for finding in backend.check()]
    assert any(" the events 8 " in found and "the messages 7 " in found for found in findings)
    assert list((memory_path / "copy" / "quarantine").iterdir()) == []
    await backend.close()
