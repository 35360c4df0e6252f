"""The files of deleted sessions: put away by renaming, and purged later."""

from __future__ import annotations

import errno
from pathlib import Path

from app.backends.files.names import Layout
from app.backends.files.system import System


class Trash:
    """The trash of a store."""

    def __init__(self, layout: Layout, system: System) -> None:
        self._layout = layout
        self._system = system

    def take(self, name: str, number: int) -> None:
        """Puts a session's files away durably, under the number of its deletion.

        Can be repeated after it was interrupted: the active file, by which the session is found,
        goes last.
        """
        target = self._layout.trash / f"{number:012d}"
        sealed, active = self._layout.sealed(name), self._layout.active(name)
        if self._system.fingerprint(sealed) is not None:
            self._system.rename(sealed, target.with_suffix(".d"))
        if self._system.fingerprint(active) is not None:
            self._system.rename(active, target.with_suffix(".jsonl"))
        self._system.sync_directory(self._layout.shard(name))
        self._system.sync_directory(self._layout.trash)

    def purge(self) -> None:
        """Takes away everything that is in the trash."""
        for name in self._system.list_names(self._layout.trash):
            path = self._layout.trash / name
            if name.endswith(".d"):
                for segment in self._system.list_names(path):
                    self._unlink(path / segment)
                self._rmdir(path)
            else:
                self._unlink(path)

    def _unlink(self, path: Path) -> None:
        # Another process may be purging as well.
        try:
            self._system.unlink(path)
        except FileNotFoundError:
            return

    def _rmdir(self, path: Path) -> None:
        try:
            self._system.rmdir(path)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
