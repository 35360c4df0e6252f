"""What the parts of this backend share: one store's files, locks, index and policy."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.backends.files.index import Index
from app.backends.files.locks import Locks
from app.backends.files.names import Layout
from app.backends.files.policy import Policy
from app.backends.files.quarantine import Quarantine
from app.backends.files.register import Registers
from app.backends.files.session_files import SessionFiles
from app.backends.files.system import System
from app.backends.files.trash import Trash


@dataclass(slots=True)
class Store:
    """One open store. `failed` are sessions whose file could not be made durable.

    After such an error nobody knows what is on the disk, and asking again would answer that all
    is well (https://wiki.postgresql.org/wiki/Fsync_Errors), so these take no more writes until
    the store is opened anew.
    """

    layout: Layout
    system: System
    policy: Policy
    locks: Locks
    index: Index
    files: SessionFiles
    registers: Registers
    quarantine: Quarantine
    trash: Trash
    failed: set[str] = field(default_factory=set)


def assemble(layout: Layout, system: System, policy: Policy, *, patience: float = 30.0) -> Store:
    """Returns a store's parts put together; opens nothing yet."""
    locks = Locks(layout, system, patience=patience)
    quarantine = Quarantine(layout, system)
    return Store(
        layout,
        system,
        policy,
        locks,
        Index(layout, locks),
        SessionFiles(layout, system),
        Registers(layout, system, locks, quarantine),
        quarantine,
        Trash(layout, system),
    )
