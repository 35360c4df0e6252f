"""The name of a session's file: readable, and never the same for two sessions.

Owner and key are percent-encoded byte by byte and joined by `@`, which no encoded text holds; an
unowned session has its key alone. Capital letters are encoded too, so that names differ on file
systems that do not tell case apart. A name past 180 bytes keeps its start and gets its own
SHA-256 behind a `~`, which no encoded text holds either.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from app.model.identifiers import SessionKey

STRIPES = 64
"""How many locks the sessions of a store share."""

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_")
_LONGEST = 180
_KEPT = _LONGEST - 65


def file_name(key: SessionKey) -> str:
    """Returns the name that the file of a session has, without `.jsonl`."""
    owner = "" if key.owner_id is None else f"{_encode(key.owner_id)}@"
    name = owner + _encode(key.key)
    if len(name) <= _LONGEST:
        return name
    return f"{name[:_KEPT]}~{hashlib.sha256(name.encode()).hexdigest()}"


def _encode(text: str) -> str:
    if not text:
        return "%"
    return "".join([chr(byte) if byte in _PLAIN else f"%{byte:02x}" for byte in text.encode()])


def shard_of(name: str) -> str:
    """Returns the directory that a file is kept in: two hexadecimal digits."""
    return hashlib.sha256(name.encode()).hexdigest()[:2]


def stripe_of(text: str) -> int:
    """Returns the number of the lock that a name falls under."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[2:4], "big") % STRIPES


class Layout:
    """Where everything of a store lies."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.format = root / "FORMAT"
        self.locks = root / "locks"
        self.sessions = root / "s"
        self.quarantine = root / "quarantine"
        self.trash = root / "trash"
        self.registers = root / "registers"
        self.index = root / "index.db"

    def shard(self, name: str) -> Path:
        """Returns the directory of a session's file."""
        return self.sessions / shard_of(name)

    def active(self, name: str) -> Path:
        """Returns the file that a session is written to."""
        return self.shard(name) / f"{name}.jsonl"

    def beside(self, name: str) -> Path:
        """Returns the file in which a new active file is prepared."""
        return self.shard(name) / f"{name}.new"

    def sealed(self, name: str) -> Path:
        """Returns the directory of a session's sealed segments."""
        return self.shard(name) / f"{name}.d"

    def segment(self, name: str, first: int) -> Path:
        """Returns the sealed segment that begins with an event's number."""
        return self.sealed(name) / f"{first:012d}.jsonl"
