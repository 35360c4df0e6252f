"""Agents and profiles are registered, found by name, and then named by sessions."""

from __future__ import annotations

import pytest

from tests.schema.client import Api


async def test_a_registered_agent_can_be_given_a_session(writer: Api) -> None:
    agent = (
        await writer.mutate(
            "registerAgent", "agent { id name displayName }", name="support", displayName="Support"
        )
    )["agent"]
    assert (agent["name"], agent["displayName"]) == ("support", "Support")
    assert (await writer.run('{ agent(name: "support") { id } }'))["agent"] == {"id": agent["id"]}
    created = await writer.mutate(
        "createSession", "session { agent { name } displayName }", agentId=agent["id"]
    )
    assert created["session"] == {"agent": {"name": "support"}, "displayName": "Support"}


async def test_a_registered_profile_can_be_given_a_session(writer: Api) -> None:
    profile = (await writer.mutate("registerProfile", "profile { id name }", name="research"))[
        "profile"
    ]
    found = await writer.run('{ profile(name: "research") { id displayName } }')
    assert found["profile"] == {"id": profile["id"], "displayName": "research"}
    created = await writer.mutate(
        "createSession", "session { profile { name } }", profileId=profile["id"]
    )
    assert created["session"] == {"profile": {"name": "research"}}


async def test_registering_again_renames_and_keeps_what_is_not_given(writer: Api) -> None:
    fields = "agent { id displayName }"
    first = await writer.mutate("registerAgent", fields, name="navi", displayName="Navi")
    same = await writer.mutate("registerAgent", fields, name="navi")
    other = await writer.mutate("registerAgent", fields, name="navi", displayName="Navi 2")
    assert first["agent"] == same["agent"]
    assert other["agent"] == {"id": first["agent"]["id"], "displayName": "Navi 2"}


@pytest.mark.parametrize("mutation", ["registerAgent", "registerProfile"])
async def test_registering_needs_the_right_to_change_everything(api: Api, mutation: str) -> None:
    noun = mutation.removeprefix("register").lower()
    refused = await api.mutate(mutation, f"{noun} {{ id }}", name="navi")
    assert refused[noun] is None
    assert [error["__typename"] for error in refused["userErrors"]] == ["ForbiddenError"]
    assert (await api.run(f'{{ {noun}(name: "navi") {{ id }} }}'))[noun] is None


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"name": ""}, ["input", "name"]),
        ({"name": " "}, ["input", "name"]),
        ({"name": "x" * 201}, ["input", "name"]),
        ({"name": "a\0b"}, ["input", "name"]),
        ({"name": "a", "displayName": ""}, ["input", "displayName"]),
    ],
)
async def test_a_name_that_cannot_be_kept_is_refused(
    writer: Api, given: dict[str, str], path: list[str]
) -> None:
    refused = await writer.mutate("registerAgent", "agent { id }", **given)
    assert refused["agent"] is None
    assert [error["path"] for error in refused["userErrors"]] == [path]


async def test_a_name_that_nobody_has_is_null(api: Api) -> None:
    assert await api.run('{ agent(name: "x") { id } profile(name: "x") { id } }') == {
        "agent": None,
        "profile": None,
    }
