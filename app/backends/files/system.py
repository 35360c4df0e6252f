"""Every call of the operating system that this backend makes on its files, in one place.

Tests put a failing or recording system in its stead, so that each call of each operation can be
made to fail; nothing else here opens, writes, renames or syncs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

READ = os.O_RDONLY
WRITE = os.O_WRONLY
APPEND = os.O_WRONLY | os.O_APPEND
CREATE = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
REPLACE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


class Fingerprint(Struct, frozen=True):
    """What tells whether a file is still the one, and as long, as it was when last looked at.

    The time of the last change is in it, so that a file that another program has changed in place
    is read anew.
    """

    inode: int
    size: int
    modified: int


def _fingerprint(found: os.stat_result) -> Fingerprint:
    return Fingerprint(found.st_ino & (1 << 63) - 1, found.st_size, found.st_mtime_ns)


class System:
    """The operating system. Every method raises what the call raises: `OSError`."""

    def open(self, path: Path, flags: int) -> int:
        """Opens a file that no child process inherits."""
        return os.open(path, flags | os.O_CLOEXEC, 0o644)

    def close(self, descriptor: int) -> None:
        """Closes a descriptor."""
        os.close(descriptor)

    def write(self, descriptor: int, data: bytes) -> int:
        """Writes once; returns how many bytes were taken, which may be fewer."""
        return os.write(descriptor, data)

    def pread(self, descriptor: int, size: int, offset: int) -> bytes:
        """Reads up to `size` bytes at an offset."""
        return os.pread(descriptor, size, offset)

    def fdatasync(self, descriptor: int) -> None:
        """Makes what was written durable."""
        os.fdatasync(descriptor)

    def fsync(self, descriptor: int) -> None:
        """Makes a file and what is known about it durable; a directory: its entries."""
        os.fsync(descriptor)

    def ftruncate(self, descriptor: int, size: int) -> None:
        """Cuts a file."""
        os.ftruncate(descriptor, size)

    def rename(self, source: Path, target: Path) -> None:
        """Gives a file another name, in place of whatever had it."""
        os.rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        """Gives a file a second name."""
        os.link(source, target)

    def unlink(self, path: Path) -> None:
        """Takes a name away."""
        os.unlink(path)

    def mkdir(self, path: Path) -> None:
        """Makes a directory."""
        os.mkdir(path, 0o755)

    def rmdir(self, path: Path) -> None:
        """Takes an empty directory away."""
        os.rmdir(path)

    def fingerprint(self, path: Path) -> Fingerprint | None:
        """Returns what a file looks like, None where there is none."""
        try:
            found = os.stat(path)
        except FileNotFoundError:
            return None
        return _fingerprint(found)

    def fingerprint_open(self, descriptor: int) -> Fingerprint:
        """Returns what an open file looks like."""
        found = os.fstat(descriptor)
        return _fingerprint(found)

    def fingerprints(self, path: Path) -> dict[str, Fingerprint]:
        """Returns what every file in a directory looks like, by its name."""
        found = {}
        with os.scandir(path) as entries:
            for entry in entries:
                try:
                    if entry.is_file():
                        found[entry.name] = _fingerprint(entry.stat())
                except FileNotFoundError:
                    # Taken away since the directory was read.
                    continue
        return found

    def list_names(self, path: Path) -> list[str]:
        """Returns the names in a directory, sorted; none where there is no such directory."""
        try:
            return sorted(os.listdir(path))
        except FileNotFoundError:
            return []

    @contextmanager
    def opened(self, path: Path, flags: int) -> Iterator[int]:
        """Opens a file for as long as the block runs."""
        descriptor = self.open(path, flags)
        try:
            yield descriptor
        finally:
            self.close(descriptor)

    def sync_directory(self, path: Path) -> None:
        """Makes the entries of a directory durable."""
        with self.opened(path, os.O_RDONLY | os.O_DIRECTORY) as descriptor:
            self.fsync(descriptor)

    def write_whole(self, path: Path, data: bytes) -> None:
        """Writes a file anew and makes it durable, its name aside. A short write is an error."""
        with self.opened(path, REPLACE) as descriptor:
            written = self.write(descriptor, data)
            while 0 < written < len(data):
                more = self.write(descriptor, data[written:])
                if more == 0:
                    break
                written += more
            if written != len(data):
                raise OSError(28, "the disk took a part of the file only", str(path))
            self.fsync(descriptor)
