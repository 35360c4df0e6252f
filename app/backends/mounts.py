"""What a place for a store must be: on a disk of this machine, and open to writing."""

from __future__ import annotations

import os
from pathlib import Path

from app.model.errors import StoreUnusable

_LITTLE = 64 << 10
"""With less room than this a disk is called full: the least that SQLite asks for at once."""

_MOUNTS = Path("/proc/self/mountinfo")

NETWORK = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "fuse.ceph", "fuse.glusterfs", "fuse.gcsfuse",
        "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs",
        "nfs", "nfs4", "ocfs2", "smb3", "smbfs", "vboxsf",
    }
)  # fmt: skip


def file_system_of(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """Returns the type of the file system that a path is on, None where that can't be told.

    Read from mountinfo, as proc(5) describes it; the longest mount point that holds the path is
    the one, the last of equals.
    """
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return None
    found: tuple[int, str] | None = None
    resolved = path.resolve()
    for line in lines:
        before, _, behind = line.partition(" - ")
        point = Path(before.split()[4].replace("\\040", " "))
        length = len(point.parts)
        if resolved.is_relative_to(point) and (found is None or length >= found[0]):
            found = length, behind.split()[0]
    return None if found is None else found[1]


def is_full(error: Exception, path: Path) -> bool:
    """Answers whether an error of SQLite's about a file means that its disk has no room left.

    It says so for the file itself, and speaks of a disk error for what it keeps beside it.
    """
    if "full" in str(error):
        return True
    if "disk I/O error" not in str(error):
        return False
    disk = os.statvfs(path if path.exists() else path.parent)
    return disk.f_bavail * disk.f_frsize < _LITTLE


def require_local(path: Path, *, single_process: bool) -> None:
    """Raises `StoreUnusable` for a place on a network file system, unless one process has it alone.

    Locks may not hold there between machines, nor memory be shared.
    """
    kind = file_system_of(path if path.exists() else path.parent)
    if kind in NETWORK and not single_process:
        raise StoreUnusable(
            f"{path} is on a network file system ({kind}), where locks may not hold: use a "
            "local disk, or add ?single-process=1 if one process alone ever opens this store"
        )


def require_writable(path: Path) -> None:
    """Raises `StoreUnusable` where this user can't write a file or folder, or make it."""
    place = path if path.exists() else path.parent
    if os.access(place, os.W_OK | (os.X_OK if place.is_dir() else 0)):
        return
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        raise StoreUnusable(
            f"{path} is on a file system that is mounted read-only: mount it for writing, or name "
            "another place"
        )
    verb = "written" if place is path else "created"
    raise StoreUnusable(f"{path} can't be {verb} by this user: change the permissions of {place}")
