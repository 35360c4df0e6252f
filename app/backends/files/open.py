"""Opening a store of files: folders made where they are missing, files held to the index."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from app.backends.files.backend import FilesBackend
from app.backends.files.names import Layout
from app.backends.files.policy import Policy, parse_policy
from app.backends.files.recovery import Recovery
from app.backends.files.store import Store, assemble
from app.backends.files.system import System
from app.backends.files.texts import TABLES as TEXT_TABLES
from app.backends.mounts import is_full, require_local, require_writable
from app.backends.protocol import Migrated
from app.model.errors import StoreUnusable

VERSION = "1"
_MARK = "scrollback files"
_SHARDS = [f"{number:02x}" for number in range(256)]


async def open_url(url: str, *, migrate: bool) -> tuple[FilesBackend, Migrated]:
    """Opens the store of `file:///relative/dir` or `file:////absolute/dir`.

    Parameters: `durability` (see `app.backends.files.policy`) and `single-process=1`. Raises
    `StoreUnusable`, saying what to do.
    """
    parts = urlsplit(url)
    if parts.netloc or parts.fragment or len(parts.path) < 2:
        raise StoreUnusable(
            f"{url} names no folder: write file:///relative/dir or file:////absolute/dir"
        )
    policy, single_process = Policy(), False
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name == "durability":
            policy = parse_policy(value)
        elif name == "single-process" and value in ("0", "1"):
            single_process = value == "1"
        else:
            raise StoreUnusable(
                f"{name}={value} is unknown: a file store takes durability=always, "
                "durability=interval=N, durability=os and single-process=1"
            )
    root = Path(unquote(parts.path[1:]))
    return await open_files(root, policy, migrate=migrate, single_process=single_process)


async def open_files(
    root: Path,
    policy: Policy | None = None,
    *,
    migrate: bool = True,
    single_process: bool = False,
    system: System | None = None,
    patience: float = 30.0,
) -> tuple[FilesBackend, Migrated]:
    """Opens the store in a folder, creating it where it is missing and `migrate` allows it.

    `patience` is how many seconds to wait for other processes. Raises `StoreUnusable`.
    """
    store = assemble(Layout(root), system or System(), policy or Policy(), patience=patience)
    recovery = Recovery(store)
    store.index.filled_by(recovery.rebuild)
    opened = ExitStack()
    try:
        before = await asyncio.to_thread(_open, store, recovery, opened, migrate, single_process)
    except sqlite3.Error as error:
        store.index.close()
        opened.close()
        why = f"its index can't be written: {error}"
        if is_full(error, root):
            why = "its disk is full; make room and try again"
        raise StoreUnusable(f"{root} can't be opened: {why}") from error
    except OSError as error:
        store.index.close()
        opened.close()
        why = error.strerror or str(error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            why = "its disk is full; make room and try again"
        raise StoreUnusable(f"{root} can't be opened: {why}") from error
    except BaseException:
        store.index.close()
        opened.close()
        raise
    backend = FilesBackend(store, recovery, opened, single_process=single_process)
    return backend, Migrated(before, VERSION)


def _open(
    store: Store, recovery: Recovery, opened: ExitStack, migrate: bool, single_process: bool
) -> str | None:
    layout = store.layout
    _check_sqlite()
    _check_path(layout.root)
    require_local(layout.root, single_process=single_process)
    before = _version(layout)
    if before is None:
        if not migrate:
            raise StoreUnusable(f"there is no store in {layout.root}: run `scrollback migrate`")
        _create(store)
    _enter(store, opened, single_process=single_process)
    store.index.ensure()
    recovery.catch_up()
    store.trash.purge()
    return before


def _check_sqlite() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.executescript(TEXT_TABLES)
        except sqlite3.OperationalError as error:
            raise StoreUnusable(
                f"SQLite {sqlite3.sqlite_version}, which this Python has, can't search texts: "
                "use one with FTS5, of version 3.38 or newer"
            ) from error


def _check_path(root: Path) -> None:
    if root.exists():
        if not root.is_dir():
            raise StoreUnusable(f"{root} is a file; name a folder for the store")
    elif not root.parent.is_dir():
        raise StoreUnusable(f"the folder {root.parent} does not exist: create it first")
    require_writable(root)


def _version(layout: Layout) -> str | None:
    """Returns the version of a store, None where there is none. Raises `StoreUnusable`."""
    try:
        text = layout.format.read_text()
    except FileNotFoundError:
        found = {path.name for path in layout.root.iterdir()} if layout.root.exists() else set()
        # A creation that was interrupted is gone on with.
        ours = {path.name for path in _folders(layout)} | {"FORMAT.new"}
        if found - ours:
            raise StoreUnusable(
                f"{layout.root} holds something else than a store: name an empty folder"
            ) from None
        return None
    except UnicodeDecodeError:
        text = ""
    mark, _, version = text.strip().rpartition(" ")
    if mark != _MARK or not version.isdecimal():
        raise StoreUnusable(f"{layout.format} is damaged: it should say {_MARK!r} and a number")
    if int(version) > int(VERSION):
        raise StoreUnusable(
            f"the store {layout.root} is of version {version}, written by a newer Scrollback; "
            f"this one knows {VERSION}: upgrade Scrollback"
        )
    return version


def _folders(layout: Layout) -> list[Path]:
    return [layout.locks, layout.sessions, layout.quarantine, layout.trash, layout.registers]


def _create(store: Store) -> None:
    """Makes the folders of a store, and last the file that says it is one."""
    layout, system = store.layout, store.system
    shards = [layout.sessions / shard for shard in _SHARDS]
    for folder in (layout.root, *_folders(layout), *shards):
        if not folder.is_dir():
            try:
                system.mkdir(folder)
            except FileExistsError:
                continue
    system.sync_directory(layout.sessions)
    with store.locks.hold("create"):
        if not layout.format.exists():
            fresh = layout.format.with_suffix(".new")
            system.write_whole(fresh, f"{_MARK} {VERSION}\n".encode())
            system.rename(fresh, layout.format)
            system.sync_directory(layout.root)
            system.sync_directory(layout.root.resolve().parent)


def _enter(store: Store, opened: ExitStack, *, single_process: bool) -> None:
    """Keeps a process that must be alone from being joined, and from joining."""
    path = store.layout.locks / "processes"
    descriptor = store.system.open(path, os.O_RDWR | os.O_CREAT)
    opened.callback(store.system.close, descriptor)
    operation = fcntl.LOCK_EX if single_process else fcntl.LOCK_SH
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StoreUnusable(
            f"{store.layout.root} is open in another process, and one of the two was opened with "
            "single-process=1: stop the other first"
        ) from error
