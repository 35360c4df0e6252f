"""Writing the lines of the log."""

from __future__ import annotations

import asyncio
import atexit
from threading import RLock
from typing import BinaryIO


class LogWriter:
    """Writes lines to a stream, those of one turn of the event loop at once.

    A write lets go of the interpreter's lock and may have to wait for it, and a busy server has
    many lines in a turn. Only lines up to `info` wait for the turn's end: a process that dies has
    told its warnings and errors, and what came before them.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lines: list[bytes] = []
        # A collection of garbage may log in the middle of a line.
        self._lock = RLock()
        atexit.register(self.flush)

    def info(self, line: bytes) -> None:
        """Writes a line by the end of this turn; at once where no event loop runs."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.error(line)
            return
        with self._lock:
            self._lines.append(line)
            first = len(self._lines) == 1
        if first:
            loop.call_soon(self.flush)

    def error(self, line: bytes) -> None:
        """Writes a line now."""
        with self._lock:
            self._lines.append(line)
        self.flush()

    def flush(self) -> None:
        """Writes what waits."""
        with self._lock:
            lines, self._lines = self._lines, []
            if lines:
                lines.append(b"")
                self._stream.write(b"\n".join(lines))
                self._stream.flush()
