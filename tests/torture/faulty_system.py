"""Systems that fail on command, and one that remembers what a power cut would leave."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

from app.backends.files.system import Fingerprint, System


class Killed(Exception):
    """The process would have ended here; nothing it calls afterwards happens."""


class Fault(StrEnum):
    KILL = "kill"
    KILL_AFTER = "kill after"
    EIO = "EIO"
    ENOSPC = "ENOSPC"
    SHORT_WRITE = "short write"


class FaultySystem(System):
    """Fails at one call, counted from when it is armed. Closing always works."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fault: Fault | None = None
        self.at = 0
        self.counting = False
        self.dead = False

    def arm(self, fault: Fault | None, at: int) -> None:
        """Begins to count; the call of that number (0 is the first) gets the fault."""
        self.calls, self.fault, self.at, self.counting = [], fault, at, True

    def _call(self, name: str, call: Callable[..., Any], *arguments: Any) -> Any:
        if self.dead:
            raise Killed
        if not self.counting:
            return call(*arguments)
        number = len(self.calls)
        self.calls.append(name)
        if self.fault is None or number != self.at:
            return call(*arguments)
        if self.fault is Fault.SHORT_WRITE:
            if name != "write":
                return call(*arguments)
            descriptor, data = arguments
            return call(descriptor, data[: len(data) // 2])
        if self.fault in (Fault.KILL, Fault.KILL_AFTER):
            self.dead = True
            if self.fault is Fault.KILL_AFTER:
                call(*arguments)
            raise Killed
        raise OSError(5 if self.fault is Fault.EIO else 28, "injected")

    def open(self, path: Path, flags: int) -> int:
        return int(self._call("open", super().open, path, flags))

    def write(self, descriptor: int, data: bytes) -> int:
        return int(self._call("write", super().write, descriptor, data))

    def pread(self, descriptor: int, size: int, offset: int) -> bytes:
        return bytes(self._call("pread", super().pread, descriptor, size, offset))

    def fdatasync(self, descriptor: int) -> None:
        self._call("fdatasync", super().fdatasync, descriptor)

    def fsync(self, descriptor: int) -> None:
        self._call("fsync", super().fsync, descriptor)

    def ftruncate(self, descriptor: int, size: int) -> None:
        self._call("ftruncate", super().ftruncate, descriptor, size)

    def rename(self, source: Path, target: Path) -> None:
        self._call("rename", super().rename, source, target)

    def link(self, source: Path, target: Path) -> None:
        self._call("link", super().link, source, target)

    def unlink(self, path: Path) -> None:
        self._call("unlink", super().unlink, path)

    def mkdir(self, path: Path) -> None:
        self._call("mkdir", super().mkdir, path)

    def rmdir(self, path: Path) -> None:
        self._call("rmdir", super().rmdir, path)

    def fingerprint(self, path: Path) -> Fingerprint | None:
        found: Fingerprint | None = self._call("stat", super().fingerprint, path)
        return found

    def fingerprint_open(self, descriptor: int) -> Fingerprint:
        found: Fingerprint = self._call("fstat", super().fingerprint_open, descriptor)
        return found

    def list_names(self, path: Path) -> list[str]:
        names: list[str] = self._call("listdir", super().list_names, path)
        return names


class SimulatedDisk(System):
    """Remembers what has been synced: of a file its bytes, of a directory its entries.

    After a power cut nothing else is there, which is the worst that a disk may do.
    """

    def __init__(self) -> None:
        self.contents: dict[int, bytes] = {}
        self.entries: dict[int, dict[str, int]] = {}
        self.directories: set[int] = set()
        self.before_call: Callable[[], None] = lambda: None

    def open(self, path: Path, flags: int) -> int:
        self.before_call()
        descriptor = super().open(path, flags)
        if flags & (os.O_TRUNC | os.O_EXCL):
            # The number may have been that of a file that is gone.
            self.contents.pop(os.fstat(descriptor).st_ino, None)
        return descriptor

    def write(self, descriptor: int, data: bytes) -> int:
        self.before_call()
        return super().write(descriptor, data)

    def rename(self, source: Path, target: Path) -> None:
        self.before_call()
        super().rename(source, target)

    def unlink(self, path: Path) -> None:
        self.before_call()
        super().unlink(path)

    def mkdir(self, path: Path) -> None:
        super().mkdir(path)
        inode = os.stat(path).st_ino
        self.directories.add(inode)
        self.entries[inode] = {}

    def fdatasync(self, descriptor: int) -> None:
        super().fdatasync(descriptor)
        self.remember(descriptor)

    def fsync(self, descriptor: int) -> None:
        super().fsync(descriptor)
        self.remember(descriptor)

    def remember(self, descriptor: int) -> None:
        """Takes down what is durable now."""
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            with os.scandir(f"/proc/self/fd/{descriptor}") as entries:
                self.entries[found.st_ino] = {entry.name: entry.inode() for entry in entries}
            self.directories.add(found.st_ino)
        else:
            with open(f"/proc/self/fd/{descriptor}", "rb") as file:
                self.contents[found.st_ino] = file.read()

    def after_power_cut(self, root: Path, target: Path) -> None:
        """Writes what would be left of a folder to another place."""
        self._restore(os.stat(root).st_ino, target)

    def _restore(self, inode: int, target: Path) -> None:
        target.mkdir()
        for name, entry in self.entries.get(inode, {}).items():
            if name.startswith("index."):
                continue
            if entry in self.directories:
                self._restore(entry, target / name)
            else:
                (target / name).write_bytes(self.contents.get(entry, b""))
