"""The people, agents and profiles that sessions name."""

from __future__ import annotations

from app.backends.conformance.samples import (
    ALICE,
    ALICES,
    BOB,
    created,
    done,
    outcome_of,
    said,
    stream,
)
from app.backends.conformance.subject import BackendTests
from app.backends.protocol import EVERYTHING, Backend
from app.model.changes import Commit, DeleteMessage
from app.model.errors import NotFound
from app.model.identifiers import AgentId, ProfileId, Sequence, UserId
from app.model.message import Sender
from app.model.session import Agent, Profile, User

NAVIGATOR, PILOT, HELPER = AgentId("navigator"), AgentId("pilot"), AgentId("helper")
DEFAULT = ProfileId("default")


class DirectoryTests(BackendTests):
    """Whoever is named is known; names come with a load."""

    async def test_whoever_a_session_names_is_known(self, backend: Backend) -> None:
        sender = Sender(user_id=BOB, agent_id=HELPER)
        await done(
            backend,
            created(
                agent_id=NAVIGATOR,
                peer_agent_id=PILOT,
                profile_id=DEFAULT,
                messages=[said("hi", sender=sender)],
            ),
        )
        users = await backend.get_users([ALICE, BOB, UserId("nobody")], EVERYTHING)
        assert users == {ALICE: User(ALICE), BOB: User(BOB)}
        agents = await backend.get_agents([NAVIGATOR, PILOT, HELPER, AgentId("none")])
        assert agents == {one: Agent(one) for one in (NAVIGATOR, PILOT, HELPER)}
        profiles = await backend.get_profiles([DEFAULT, ProfileId("none")])
        assert profiles == {DEFAULT: Profile(DEFAULT)}

    async def test_names_that_were_loaded_stay(self, backend: Backend) -> None:
        names: list[User | Agent | Profile] = [
            User(ALICE, "Alice “會”"),
            Agent(NAVIGATOR, "The Navigator"),
            Profile(DEFAULT, "Default"),
        ]
        await backend.load(stream(names))
        await done(backend, created(agent_id=NAVIGATOR, profile_id=DEFAULT))
        await backend.load(stream([User(ALICE), Agent(NAVIGATOR), Profile(DEFAULT)]))
        assert await backend.get_users([ALICE], ALICES) == {ALICE: names[0]}
        assert await backend.get_agents([NAVIGATOR]) == {NAVIGATOR: names[1]}
        assert await backend.get_profiles([DEFAULT]) == {DEFAULT: names[2]}

    async def test_a_commit_that_fails_makes_nobody_known(self, backend: Backend) -> None:
        commit = created(agent_id=NAVIGATOR, profile_id=DEFAULT)
        failing = Commit(
            commit.session_id, (*commit.changes, DeleteMessage(Sequence(1))), commit.at
        )
        assert isinstance(await outcome_of(backend, failing), NotFound)
        assert await backend.get_users([ALICE], EVERYTHING) == {}
        assert await backend.get_agents([NAVIGATOR]) == {}
        assert await backend.get_profiles([DEFAULT]) == {}

    async def test_nobody_asked_for_is_nobody_answered(self, backend: Backend) -> None:
        assert await backend.get_users([], EVERYTHING) == {}
        assert await backend.get_agents([]) == {}
        assert await backend.get_profiles([]) == {}
