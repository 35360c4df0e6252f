"""Random damage to a sealed segment: what is archived is served as it was, or named as lost."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from app.backends.conformance.samples import FIRST, changed, created, done, said
from app.model.changes import AddMessages, ArchiveMessages
from app.model.identifiers import Sequence
from app.model.message import Message
from tests.torture import FULL, Progress
from tests.torture.story import opened
from tests.torture.test_corruption import damage, lost_records, messages_in, numbers_after

CASES = 4_000 if FULL else 150
ARCHIVED = 12
SEALED = ARCHIVED + 1
"""How many records are in the segment alone: the creation, and what is archived."""


async def make(root: Path) -> dict[int, Message]:
    """Makes a store with one session, of which a part is sealed; returns its messages."""
    backend = await opened(root)
    await done(backend, created(FIRST, messages=[said("opening")]))
    for number in range(2, 25):
        await done(backend, changed(AddMessages((said(f"message {number} " * 4),)), at=number))
    await done(backend, changed(ArchiveMessages(Sequence(ARCHIVED)), at=60))
    await done(backend, changed(AddMessages((said("behind the seal"),)), at=61))
    messages = await messages_in(backend)
    await backend.close()
    return messages


async def hold_to_messages(
    root: Path, messages: dict[int, Message], lost: set[int], *, changed_bytes: bool
) -> None:
    """Opens the damaged store; what it does not serve it names, and nothing else."""
    backend = await opened(root)
    try:
        served = await messages_in(backend)
        assert all(message == messages[at] for at, message in served.items())
        findings = [finding async for finding in backend.check()]
        told = " ".join(finding.message for finding in findings)
        assert numbers_after("lost the events ", told) == lost, told
        assert messages.keys() - served.keys() == {number - 1 for number in lost if number > 1}
        assert findings or not changed_bytes, "damage that has taken nothing is not told"
    finally:
        await backend.close()


async def test_damage_to_what_is_sealed_is_named_exactly_and_serves_no_wrong_word(
    memory_path: Path, progress: Progress
) -> None:
    messages = await make(memory_path / "store")
    [file] = (memory_path / "store").glob("s/*/*.d/*.jsonl")
    content = file.read_bytes()
    chance = random.Random(11)
    for case in range(CASES):
        root = memory_path / str(case)
        shutil.copytree(memory_path / "store", root)
        damaged = damage(content, chance)
        (root / file.relative_to(memory_path / "store")).write_bytes(damaged)
        indexed = chance.random() < 0.5
        if not indexed:
            for path in root.glob("index.*"):
                path.unlink()
        # What follows in the segment is in the active file as well.
        lost = {number for number in lost_records(content, damaged) if number <= SEALED}
        before, after = (b"".join(one.splitlines()[:SEALED]) for one in (content, damaged))
        try:
            await hold_to_messages(root, messages, lost, changed_bytes=before != after)
        except AssertionError as error:
            raise AssertionError(f"case {case}, {'indexed' if indexed else 'no index'}") from error
        shutil.rmtree(root)
        progress(f"{case + 1} of {CASES} damaged segments")
