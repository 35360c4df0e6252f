"""What a session is called in a list: who or what it is with."""

from __future__ import annotations

from app.model.session import Agent, Session, SessionKind, User
from app.rules.caller import Caller


def choose_display_name(
    session: Session,
    caller: Caller,
    *,
    owner: User | None,
    agent: Agent | None,
    peer_agent: Agent | None,
) -> str:
    """Returns the name of a session as the caller sees it; never empty.

    Two agents are "A - B", a group goes by its title. Any other session goes by who is on the
    other side: the agent for the session's owner, the owner for anybody else. Where that is
    unknown the title serves, and in the end the key.
    """
    if session.kind is SessionKind.AGENT_TO_AGENT:
        pair = [name for name in (_agent_name(agent), _agent_name(peer_agent)) if name]
        return " - ".join(pair) or session.title or session.key
    if session.kind is SessionKind.GROUP:
        return session.title or session.key
    if owner is not None and session.owner_id != caller.user_id:
        return owner.display_name or owner.id
    return _agent_name(agent) or session.title or session.key


def _agent_name(agent: Agent | None) -> str | None:
    return None if agent is None else agent.display_name or agent.id
