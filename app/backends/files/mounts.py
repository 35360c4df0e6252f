"""Which file system a directory lies on, and whether locks reach across machines there."""

from __future__ import annotations

from pathlib import Path

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
