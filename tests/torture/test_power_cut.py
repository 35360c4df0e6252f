"""After a power cut at any moment everything acknowledged is there, and no half of anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.backends.conformance.samples import errors_found, records_of
from app.backends.files.system import REPLACE, System
from app.model.records import Record
from tests.torture.faulty_system import SimulatedDisk
from tests.torture.story import STORY, opened, sessions_in, states


class CutEverywhere(SimulatedDisk):
    """Keeps what would be left before each write, rename and unlink of the present act."""

    def __init__(self, target: Path) -> None:
        super().__init__()
        self.target = target
        self.root: Path | None = None
        self.cuts: list[Path] = []
        self.before_call = self._cut

    def _cut(self) -> None:
        if self.root is not None:
            cut = self.target / str(len(self.cuts))
            self.after_power_cut(self.root, cut)
            self.cuts.append(cut)


async def tell(memory_path: Path, disk: CutEverywhere) -> None:
    """Tells the story, with the power cut at every call of every act and after it."""
    expected = await states()
    root = memory_path / "store"
    root.mkdir()
    backend = await opened(root, disk)
    try:
        for at, (name, act) in enumerate(STORY.items()):
            disk.root, disk.cuts, disk.target = root, [], memory_path / f"act {at}"
            disk.target.mkdir()
            await act(backend)
            disk.root = None
            end = disk.target / "end"
            disk.after_power_cut(root, end)
            for cut in disk.cuts:
                known = [sessions_in(state) for state in expected[at : at + 2]]
                assert sessions_in(await found_in(cut)) in known, f"half of {name} in {cut.name}"
            assert await found_in(end) == expected[at + 1], f"{name} was acknowledged and is lost"
    finally:
        await backend.close()


async def found_in(root: Path) -> list[Record]:
    """Returns what is in a store that a power cut has left, once it is sound."""
    backend = await opened(root)
    try:
        found = await records_of(backend)
        assert await errors_found(backend) == []
        return found
    finally:
        await backend.close()


async def test_a_power_cut_loses_nothing_that_was_acknowledged(memory_path: Path) -> None:
    await tell(memory_path, CutEverywhere(memory_path))


class NoDataSync(CutEverywhere):
    """Planted: appends are not made durable."""

    def fdatasync(self, descriptor: int) -> None:
        System.fdatasync(self, descriptor)


class NoDirectorySync(CutEverywhere):
    """Planted: new names are not made durable."""

    def sync_directory(self, path: Path) -> None:
        if path.parent.name == "s":
            return
        super().sync_directory(path)


class RenameBeforeSync(CutEverywhere):
    """Planted: a new file takes the place of the old before it is durable itself."""

    def write_whole(self, path: Path, data: bytes) -> None:
        with self.opened(path, REPLACE) as descriptor:
            self.write(descriptor, data)
            if path.name == "FORMAT.new":
                self.fsync(descriptor)


@pytest.mark.parametrize("disk", [NoDataSync, NoDirectorySync, RenameBeforeSync])
async def test_a_planted_lack_of_syncing_is_caught(
    memory_path: Path, disk: type[CutEverywhere]
) -> None:
    with pytest.raises(AssertionError):
        await tell(memory_path, disk(memory_path))
