"""What a store says when the database, the disk or another process does not let it work."""

from __future__ import annotations

import fcntl
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from app.backends.conformance.samples import changed, created, done, said
from app.backends.files.open import open_files
from app.backends.open import open_backend
from app.backends.protocol import EVERYTHING
from app.model.changes import AddMessages
from app.model.errors import StoreUnavailable, StoreUnusable
from tests.databases import DatabaseServer

SPEAK = changed(AddMessages((said("hello"),)), at=1)


@pytest.fixture
async def url(server: DatabaseServer) -> AsyncIterator[URL]:
    """The URL of a database with a store that has one session."""
    made = make_url(await server.fresh("errors"))
    store = await open_backend(shown(made))
    await done(store, created())
    await store.close()
    yield made
    await server.forget("errors")


def shown(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def refusing(kind: str, code: str) -> list[str]:
    """Returns what makes a server answer every new message with an error of its own."""
    if kind == "postgresql":
        return [
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION 'secret detail' USING ERRCODE = '{code}'; END $$",
            "CREATE TRIGGER refuse BEFORE INSERT ON messages FOR EACH ROW "
            "EXECUTE FUNCTION refuse()",
        ]
    return [
        "CREATE TRIGGER refuse BEFORE INSERT ON messages FOR EACH ROW SIGNAL SQLSTATE 'HY000' "
        f"SET MYSQL_ERRNO = {code}, MESSAGE_TEXT = 'secret detail'"
    ]


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ({"postgresql": "53100", "mysql": "1114"}, "disk is full.*make room"),
        ({"postgresql": "25006", "mysql": "1290"}, "read-only.*make it writable"),
        ({"postgresql": "42501", "mysql": "1142"}, "does not let its user write.*grant"),
        ({"postgresql": "XX000", "mysql": "1296"}, "the store failed; nothing was changed"),
    ],
    ids=["full", "read-only", "forbidden", "anything else"],
)
async def test_what_a_server_refuses_is_told_without_its_words(
    url: URL, server: DatabaseServer, codes: dict[str, str], words: str
) -> None:
    kind = "postgresql" if server.kind == "postgresql" else "mysql"
    for statement in refusing(kind, codes[kind]):
        await server.execute_in(url, statement)
    store = await open_backend(shown(url))
    with pytest.raises(StoreUnavailable, match=words) as told:
        await store.commit([SPEAK], EVERYTHING)
    await store.close()
    assert "secret detail" not in str(told.value)


async def test_a_database_that_takes_no_writes_can_be_read(
    url: URL, server: DatabaseServer
) -> None:
    if server.kind != "postgresql":
        pytest.skip("MariaDB is read-only for all of its databases or for none")
    setting = f"ALTER DATABASE {url.database} SET default_transaction_read_only = on"
    await server.execute_in(url, setting)
    store = await open_backend(shown(url))
    found = await store.get_sessions([SPEAK.session_id], EVERYTHING)
    assert list(found) == [SPEAK.session_id]
    with pytest.raises(StoreUnavailable, match="the store is read-only"):
        await store.commit([SPEAK], EVERYTHING)
    await store.close()


async def test_the_pools_of_a_server_are_as_large_as_the_url_asks(url: URL) -> None:
    store = await open_backend(shown(url.update_query_dict({"pool": "1", "pool-timeout": "5"})))
    for _ in range(3):
        await done(store, SPEAK)
    found = await store.get_sessions([SPEAK.session_id], EVERYTHING)
    assert getattr(found[SPEAK.session_id], "message_count", None) == 3
    await store.close()


@pytest.mark.parametrize("pattern", ["sqlite:///{}/store.db", "file:///{}/store"])
async def test_a_network_file_system_takes_one_process_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    monkeypatch.setattr("app.backends.mounts.file_system_of", lambda path: "nfs4")
    url = pattern.format(tmp_path)
    with pytest.raises(StoreUnusable, match=r"store.*network file system \(nfs4\).*local disk"):
        await open_backend(url)
    assert list(tmp_path.iterdir()) == []
    store = await open_backend(f"{url}?single-process=1")
    await done(store, created())
    with pytest.raises(StoreUnusable, match="another process"):
        await open_backend(f"{url}?single-process=1")
    await store.close()
    again = await open_backend(f"{url}?single-process=1")
    await again.close()


async def test_files_that_another_process_keeps_locked_are_busy_and_unchanged(
    tmp_path: Path,
) -> None:
    store, _ = await open_files(tmp_path / "store", patience=0.2)
    await done(store, created())
    with ExitStack() as held:
        for stripe in range(64):
            file = held.enter_context((tmp_path / "store" / "locks" / f"{stripe:02d}").open("ab"))
            fcntl.flock(file, fcntl.LOCK_EX)
        [outcome] = await store.commit([SPEAK], EVERYTHING)
    assert isinstance(outcome, StoreUnavailable)
    assert "another process has been writing" in outcome.message
    assert "try again" in outcome.message
    await done(store, SPEAK)
    await store.close()
