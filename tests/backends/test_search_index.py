"""The search index of SQL stores: it is checked, mended, made of older stores, and in order."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import URL, event, make_url

from app.backends.open import migrate_store, open_backend
from app.backends.protocol import EVERYTHING
from app.backends.sql.backend import SqlBackend
from app.backends.sql.search_tokens import tokens_asked, tokens_of
from app.model.changes import AddMessages, DeleteMessage, RenameSession, TruncateMessages
from app.model.identifiers import Sequence
from app.model.paging import Page, Window
from app.model.search import SearchHit, SearchOrder, SearchRequest
from app.model.search_query import matches, parse_query
from app.model.search_text import normalize
from tests.backends.conftest import SESSION, commit, create, said
from tests.databases import DatabaseServer

AWKWARD = "ab go中文字é—🎉👍:=>.#\"'ßⅣ한ガｶﾞ1 2   _i\u0301·\x01"


async def found(
    store: SqlBackend, query: str, limit: int = 50, order: SearchOrder = SearchOrder.NEWEST
) -> list[int]:
    """Returns the sequences of the messages that match, in the order of the answer."""
    request = SearchRequest(parse_query(query), Window(limit), order)
    page = (await store.search_messages([request], EVERYTHING))[request]
    assert isinstance(page, Page)
    hits: tuple[SearchHit, ...] = page.items
    return [hit.message.sequence for hit in hits]


async def codes(store: SqlBackend) -> set[str]:
    """Returns the codes of what a check finds, apart from what it says of this SQLite."""
    return {finding.code async for finding in store.check()} - {"SQLITE_VERSION"}


def tamper(path: Path, *statements: str) -> None:
    """Changes an SQLite store behind its back."""
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


@settings(max_examples=300)
@given(st.text(AWKWARD, max_size=24), st.data())
def test_a_text_has_the_tokens_of_every_query_that_it_matches(text: str, data: Any) -> None:
    normal = normalize(text)
    start = data.draw(st.integers(0, len(normal)))
    part = normal[start : start + data.draw(st.integers(1, 6))]
    for query in (parse_query(part), parse_query(f'"{part}"')):
        if matches(query, normal):
            assert tokens_asked(query) <= set(tokens_of(normal).split(" "))


@pytest.mark.parametrize(
    "harm",
    [
        "DELETE FROM search_entries WHERE sequence = 2",
        "UPDATE search_entries SET id = id - 100000000 WHERE sequence = 2",
        "INSERT INTO search_entries VALUES (17, 'nobody', 1)",
        "INSERT INTO search_index (search_index) VALUES ('delete-all')",
        "INSERT INTO search_index (rowid, tokens) VALUES (1, 'sea')",
        "UPDATE messages SET parts = replace(parts, 'second', 'changed') WHERE sequence = 2",
        "UPDATE sessions SET title = 'changed'",
    ],
)
async def test_an_index_that_differs_is_found_and_made_anew(
    store: SqlBackend, path: Path, harm: str
) -> None:
    await create(store, "the first word", "the second word")
    await commit(store, RenameSession("A title"))
    assert await codes(store) == set()
    tamper(path, harm)
    assert await codes(store) == {"SEARCH_DRIFTED"}
    assert await store.repair() > 0
    assert await codes(store) == set()
    assert await found(store, "word") == [2, 1]
    assert await found(store, "ond") == ([] if "changed" in harm and "parts" in harm else [2])


@pytest.mark.parametrize(
    "harm",
    [
        "DELETE FROM search_entries WHERE sequence = 2",
        "UPDATE search_entries SET created_at = '2020' WHERE sequence = 2",
        "UPDATE search_entries SET sequence = 7 WHERE sequence = 2",
    ],
)
async def test_a_servers_index_that_differs_is_found_and_made_anew(
    server: DatabaseServer, harm: str
) -> None:
    url = await server.fresh("drifting")
    store: Any = await open_backend(url)
    await create(store, "the first word", "the second word")
    assert "SEARCH_DRIFTED" not in await codes(store)
    await server.execute_in(make_url(url), harm)
    assert "SEARCH_DRIFTED" in await codes(store)
    assert await store.repair() == 1
    assert "SEARCH_DRIFTED" not in await codes(store)
    assert await found(store, "second") == [2]
    await store.close()


async def test_a_store_without_an_index_gets_one(store: SqlBackend, path: Path) -> None:
    await create(store, "the first word", "the second word")
    await commit(store, RenameSession("A title"))
    await store.close()
    tamper(
        path,
        "DROP TABLE search_index",
        "DROP TABLE search_entries",
        "UPDATE alembic_version SET version_num = '0001'",
    )
    migrated = await migrate_store(f"sqlite:///{path}")
    assert (migrated.before, migrated.after) == ("0001", "0002")
    again: Any = await open_backend(f"sqlite:///{path}")
    assert await found(again, "second") == [2]
    assert await codes(again) == set()
    await again.close()


async def test_a_servers_store_without_an_index_gets_one(server: DatabaseServer) -> None:
    address: URL = make_url(await server.fresh("unindexed"))
    url = address.render_as_string(hide_password=False)
    store: Any = await open_backend(url)
    await create(store, "the first word", "the second word")
    await store.close()
    await server.execute_in(address, "DELETE FROM search_entries")
    await server.execute_in(address, "UPDATE alembic_version SET version_num = '0001'")
    again: Any = await open_backend(url)
    assert await found(again, "second") == [2]
    assert "SEARCH_DRIFTED" not in await codes(again)
    await again.close()


async def test_messages_of_one_moment_are_found_in_order(store: SqlBackend) -> None:
    await create(store, *[f"word {number}" for number in range(100)])
    for _ in range(3):
        await commit(store, AddMessages(tuple([said(f"more words {at}") for at in range(100)])))
    assert await found(store, "word", 1000) == list(range(400, 0, -1))
    assert await codes(store) == set()
    await commit(store, DeleteMessage(Sequence(150)), TruncateMessages(Sequence(200)))
    await commit(store, AddMessages((said("a word again"),)))
    assert await found(store, "word", 1000) == [401, *range(200, 150, -1), *range(149, 0, -1)]
    assert await codes(store) == set()


async def test_no_candidates_are_sorted(store: SqlBackend) -> None:
    seen: list[tuple[str, Any]] = []
    await create(store, "the first word", "the second word")
    for engine in store.engines:

        def see(_c: Any, _d: Any, text: str, values: Any, *_rest: Any) -> None:
            seen.append((text, values))

        event.listen(engine, "before_cursor_execute", see)
    await found(store, "word")
    await found(store, "word", order=SearchOrder.RELEVANCE)
    assert [text for text, _ in seen if "MATCH" in text]
    with store.engines[2].connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        for text, values in seen:
            steps = [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {text}", values)]
            assert "SCAN search_index VIRTUAL TABLE" in steps[0], steps
            assert all(step.startswith("SEARCH") for step in steps[1:]), steps


async def test_a_session_is_searched_alone(store: SqlBackend) -> None:
    await create(store, "a word")
    request = SearchRequest(parse_query("word"), Window(5), session_id=SESSION)
    page = (await store.search_messages([request], EVERYTHING))[request]
    assert isinstance(page, Page)
    assert [hit.session.id for hit in page.items] == [SESSION]
