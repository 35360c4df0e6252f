"""Forking a session."""

from __future__ import annotations

from typing import Any, cast

from app.backends.protocol import Backend, Scope
from app.model.changes import Commit, DeleteMessage
from app.model.errors import ScrollbackError
from app.model.timestamps import now
from tests.schema.client import Api, build_services
from tests.schema.loading import load_directory

FORK = """session { id key title channel metadata messageCount archivedMessageCount
  owner { name } agent { name } forkedFrom { id } forkedFromMessage { text }
  messages(scope: ALL) { edges { node { sequence text archivedAt parts { __typename } } } } }
  sessionEdge { node { id } }"""


async def fork(api: Api, session_id: str, **given: Any) -> Any:
    return await api.mutate("forkSession", FORK, sessionId=session_id, **given)


async def test_a_fork_has_everything_up_to_a_message(api: Api) -> None:
    ids = await load_directory(api.services.backend)
    session_id = await api.create(title="T", channel="web", agentId=ids["navi"], metadata={"a": 1})
    messages = await api.say(session_id, "1", "2", "3", "4")
    await api.mutate("deleteMessage", "", messageId=messages[1])
    await api.mutate("archiveMessages", "", throughMessageId=messages[0])
    payload = await fork(api, session_id, throughMessageId=messages[2], key="f", title="U")
    assert payload["userErrors"] == []
    session = payload["session"]
    nodes = [edge["node"] for edge in session.pop("messages")["edges"]]
    assert [(node["sequence"], node["text"]) for node in nodes] == [(1, "1"), (3, "3")]
    assert [node["archivedAt"] is not None for node in nodes] == [True, False]
    assert payload["sessionEdge"]["node"]["id"] == session.pop("id") != session_id
    assert session == {
        "key": "f",
        "title": "U",
        "channel": "web",
        "metadata": {"a": 1},
        "messageCount": 2,
        "archivedMessageCount": 1,
        "owner": {"name": "ada"},
        "agent": {"name": "navi"},
        "forkedFrom": {"id": session_id},
        "forkedFromMessage": {"text": "3"},
    }
    assert await api.texts(session_id) == ["1", "3", "4"]


async def test_a_fork_of_all_keeps_the_title_and_outlives_its_source(api: Api) -> None:
    session_id = await api.create("1", "2", title="T")
    payload = await fork(api, session_id)
    fork_id = payload["session"]["id"]
    assert payload["session"]["title"] == "T"
    assert await api.texts(fork_id) == ["1", "2"]
    await api.say(fork_id, "mine")
    assert await api.texts(session_id) == ["1", "2"]
    await api.mutate("deleteSession", "", sessionId=session_id)
    left = await api.run(
        "query ($id: ID!) { session(id: $id) { messageCount forkedFrom { id }"
        " forkedFromMessage { id } } }",
        id=fork_id,
    )
    assert left["session"] == {"messageCount": 3, "forkedFrom": None, "forkedFromMessage": None}


async def test_an_empty_session_can_be_forked(api: Api) -> None:
    session_id = await api.create()
    payload = await fork(api, session_id)
    assert payload["session"]["messageCount"] == 0
    assert payload["session"]["forkedFrom"] == {"id": session_id}
    assert payload["session"]["forkedFromMessage"] is None


async def test_a_repeated_fork_happens_once_even_when_its_source_is_gone(api: Api) -> None:
    session_id = await api.create("1")
    first = await fork(api, session_id, idempotencyKey="try")
    await api.say(session_id, "2")
    again = await fork(api, session_id, idempotencyKey="try")
    assert again["session"]["id"] == first["session"]["id"]
    assert again["session"]["messageCount"] == 1
    await api.mutate("deleteSession", "", sessionId=session_id)
    again = await fork(api, session_id, idempotencyKey="try")
    assert again["session"]["id"] == first["session"]["id"]
    await api.mutate("deleteSession", "", sessionId=first["session"]["id"])
    again = await fork(api, session_id, idempotencyKey="try")
    assert [error["code"] for error in again["userErrors"]] == ["NOT_FOUND"]


async def test_a_fork_of_what_is_not_there_or_not_seen_is_not_found(api: Api, bob: Api) -> None:
    session_id = await api.create("1")
    (gone,) = await api.say(session_id, "2")
    await api.mutate("deleteMessage", "", messageId=gone)
    for one, given, path in (
        (bob, {}, ["input", "sessionId"]),
        (api, {"throughMessageId": gone}, ["input", "throughMessageId"]),
    ):
        payload = await fork(one, session_id, **given)
        assert payload["session"] is None
        (error,) = payload["userErrors"]
        assert (error["code"], error["path"]) == ("NOT_FOUND", path)
    sessions = await bob.run("{ sessions { edges { node { id } } } }")
    assert sessions == {"sessions": {"edges": []}}


async def test_a_fork_takes_no_message_of_another_session_and_no_taken_key(api: Api) -> None:
    session_id = await api.create("1", key="k")
    (theirs,) = await api.say(await api.create(), "b")
    refused = await fork(api, session_id, throughMessageId=theirs)
    assert [error["code"] for error in refused["userErrors"]] == ["INVALID_INPUT"]
    refused = await fork(api, session_id, key="k")
    assert [error["code"] for error in refused["userErrors"]] == ["CONFLICT"]


async def test_who_reads_a_session_of_another_forks_it_into_their_own(
    api: Api, reader: Api
) -> None:
    session_id = await api.create("1")
    payload = await fork(reader, session_id)
    assert payload["session"]["owner"] == {"name": "reader"}
    assert await reader.texts(payload["session"]["id"]) == ["1"]


class MeddlingBackend:
    """A store in which somebody deletes the last message right after it was looked up."""

    def __init__(self, backend: Backend, times: int) -> None:
        self._backend = backend
        self._times = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    async def page_messages(self, requests: Any, scope: Scope) -> Any:
        pages = await self._backend.page_messages(requests, scope)
        (page,) = pages.values()
        if self._times and not isinstance(page, ScrollbackError):
            self._times -= 1
            last = page.items[-1]
            commit = Commit(last.session_id, (DeleteMessage(last.sequence),), now())
            await self._backend.commit([commit], scope)
        return pages


async def test_a_fork_of_all_goes_on_while_the_last_message_is_deleted(api: Api) -> None:
    session_id = await api.create("1", "2", "3", "4")
    meddled = Api(
        build_services(cast("Backend", MeddlingBackend(api.services.backend, 2))), api.caller, []
    )
    payload = await meddled.mutate("forkSession", "session { id }", sessionId=session_id)
    assert payload["userErrors"] == []
    assert await api.texts(payload["session"]["id"]) == ["1", "2"]
