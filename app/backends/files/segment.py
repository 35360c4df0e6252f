"""Reading one file of records: all of it in order, or a record by its number without an index.

The numbers of the lines never fall, so a number is found by halving the file: a probe reads the
line behind its place, checks it, and goes on in one half. Damaged lines are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.backends.files.record import Piece, split, stamp_of
from app.backends.files.system import System

_BLOCK = 64 * 1024
_PROBE = 4 * 1024


class Segment:
    """An open file of records, of which the bytes up to `size` are looked at."""

    def __init__(self, system: System, descriptor: int, size: int, seed: int) -> None:
        self._system = system
        self._descriptor = descriptor
        self._size = size
        self._seed = seed

    def pieces(self, offset: int = 0) -> Iterator[Piece]:
        """Yields the lines from the start of a line on; the last may lack its line break."""
        rest = b""
        at = offset
        while at + len(rest) < self._size:
            begin = at + len(rest)
            block = self._read(begin, min(_BLOCK, self._size - begin))
            if not block:
                break
            data = rest + block
            cut = data.rfind(b"\n") + 1
            yield from split(data[:cut], at, self._seed)
            rest = data[cut:]
            at += cut
        if rest:
            yield from split(rest, at, self._seed)

    def seek(self, number: int) -> int:
        """Returns the start of a line; every record of that number or a higher one is behind it."""
        low, high = 0, self._size
        while high - low > _BLOCK:
            middle = (low + high) // 2
            found = self._probe(middle, high)
            if found is None or found[1] >= number:
                high = middle
            else:
                low = found[0]
        return low

    def _probe(self, at: int, high: int) -> tuple[int, int] | None:
        """Returns start and number of the first whole line that begins behind a place."""
        start = self._next_line(at, high)
        while start is not None:
            line, end = self._line(start)
            stamp = stamp_of(line, self._seed)
            if stamp is not None:
                return start, stamp.number
            start = end if end < high else None
        return None

    def _next_line(self, at: int, high: int) -> int | None:
        while at < high:
            block = self._read(at, min(_PROBE, high - at))
            if not block:
                return None
            found = block.find(b"\n")
            if found >= 0:
                start = at + found + 1
                return start if start < high else None
            at += len(block)
        return None

    def _line(self, start: int) -> tuple[bytes, int]:
        parts: list[bytes] = []
        at, size = start, _PROBE
        while at < self._size:
            block = self._read(at, min(size, self._size - at))
            if not block:
                break
            found = block.find(b"\n")
            if found >= 0:
                parts.append(block[:found])
                return b"".join(parts), at + found + 1
            parts.append(block)
            at += len(block)
            size *= 4
        return b"".join(parts), self._size

    def _read(self, at: int, size: int) -> bytes:
        return self._system.pread(self._descriptor, size, at)
