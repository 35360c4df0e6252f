"""Quarantine: where bytes go before a file is cut. Nothing is ever dropped without a copy."""

from __future__ import annotations

import zlib
from pathlib import Path

from app.backends.files.names import Layout
from app.backends.files.system import READ, WRITE, System


class Quarantine:
    """The quarantine of a store."""

    def __init__(self, layout: Layout, system: System) -> None:
        self._layout = layout
        self._system = system

    def keep(self, name: str, offset: int, content: bytes) -> None:
        """Keeps bytes that lay at an offset of a file, durably. The same bytes are kept once."""
        target = self._layout.quarantine / f"{name}.{offset}.{zlib.crc32(content):08x}"
        self._system.write_whole(target, content)
        self._system.sync_directory(self._layout.quarantine)

    def cut(self, path: Path, name: str, offset: int) -> None:
        """Cuts a file at an offset, once what lies behind it is kept."""
        content = bytearray()
        with self._system.opened(path, READ) as descriptor:
            size = self._system.fingerprint_open(descriptor).size
            while offset + len(content) < size:
                block = self._system.pread(descriptor, 1 << 20, offset + len(content))
                if not block:
                    break
                content += block
        self.keep(name, offset, bytes(content))
        with self._system.opened(path, WRITE) as descriptor:
            self._system.ftruncate(descriptor, offset)
            self._system.fsync(descriptor)
