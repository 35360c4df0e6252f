"""Writing a file so that it is there whole or not at all."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO


async def write_atomically(path: Path, chunks: AsyncIterator[bytes]) -> int:
    """Writes chunks beside `path`, makes them durable and renames; returns the bytes written.

    A file that was there is replaced. Nothing is left behind on failure. Raises OSError.
    """
    temporary, file = await asyncio.to_thread(_create_beside, path)
    size = 0
    try:
        with file:
            async for chunk in chunks:
                await asyncio.to_thread(file.write, chunk)
                size += len(chunk)
            await asyncio.to_thread(_make_durable, file)
        await asyncio.to_thread(_rename, temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return size


def _create_beside(path: Path) -> tuple[Path, IO[bytes]]:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    # mkstemp makes it readable by its owner alone; the result has the usual permissions.
    mask = os.umask(0)
    os.umask(mask)
    os.fchmod(descriptor, 0o666 & ~mask)
    return Path(name), os.fdopen(descriptor, "wb")


def _make_durable(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _rename(temporary: Path, path: Path) -> None:
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
