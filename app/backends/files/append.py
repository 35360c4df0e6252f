"""Appending: one write, then durable, with an outcome that is told apart when something fails."""

from __future__ import annotations

import errno
from pathlib import Path

from app.backends.files.system import APPEND, CREATE, Fingerprint, System

_FULL = "the disk is full; make room and try again"
"""Also where it took a part only: a file grows by whole writes while there is room."""


class NotWritten(Exception):
    """Nothing of it is there: the file is as it was."""


class OutcomeUnknown(Exception):
    """It may or may not be there, or be durable. The file must not be written to any more."""


def append(system: System, path: Path, data: bytes, *, create: bool, sync: bool) -> Fingerprint:
    """Appends records by one write, and with `sync` makes them durable.

    With `create` the file must not be there yet, and its name is made durable as well. What a
    short or failed write has left is cut off again. An error of syncing is never tried again:
    the system may have thrown the records away and would answer that all is well.
    """
    try:
        descriptor = system.open(path, CREATE if create else APPEND)
    except OSError as error:
        raise NotWritten(_reason(error)) from error
    try:
        before = 0 if create else system.fingerprint_open(descriptor).size
        _write(system, path, descriptor, data, before, create=create)
        try:
            if sync:
                system.fdatasync(descriptor)
            fingerprint = system.fingerprint_open(descriptor)
            if create and sync:
                system.sync_directory(path.parent)
        except OSError as error:
            raise OutcomeUnknown(error.strerror) from error
    except OSError as error:
        raise NotWritten(_reason(error)) from error
    finally:
        system.close(descriptor)
    return fingerprint


def _reason(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _FULL
    return error.strerror or str(error)


def _write(
    system: System, path: Path, descriptor: int, data: bytes, before: int, *, create: bool
) -> None:
    reason = _FULL
    try:
        if system.write(descriptor, data) == len(data):
            return
    except OSError as error:
        reason = _reason(error)
    try:
        system.ftruncate(descriptor, before)
        if create:
            system.unlink(path)
    except OSError as error:
        raise OutcomeUnknown(f"{reason}, and it can't be cut off: {error.strerror}") from error
    raise NotWritten(reason)
