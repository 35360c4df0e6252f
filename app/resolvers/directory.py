"""The agents and profiles that sessions can be held with and under."""

from __future__ import annotations

from collections.abc import AsyncIterator

from app.model.errors import Forbidden, InvalidInput
from app.model.records import Record
from app.model.session import Agent, Profile
from app.resolvers.services import Services
from app.rules.caller import Caller, may_write_all
from app.rules.text import check_length


async def register(services: Services, caller: Caller, entry: Agent | Profile) -> None:
    """Makes an agent or a profile known, or gives one that is known another name to show.

    Doing it twice is doing it once. Raises Forbidden for a caller who may only change sessions
    of their own, InvalidInput and LimitExceeded for a name that can't be kept.
    """
    if not may_write_all(caller):
        raise Forbidden("Registering agents and profiles needs the right to change everything.")
    _check(entry.id, "name", services)
    if entry.display_name is not None:
        _check(entry.display_name, "displayName", services)
    await services.backend.load(_only(entry))


def _check(text: str, field: str, services: Services) -> None:
    check_length(text, services.limits.name_length, (field,))
    if not text.strip():
        raise InvalidInput(f"{field} can't be blank.", (field,))


async def _only(record: Record) -> AsyncIterator[Record]:
    yield record
