"""Defects in what is moved from store to store."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator

from app.backends.protocol import Scope
from app.model.identifiers import SessionId
from app.model.records import Damage, Deletion, IdempotencyRecord, Loaded, Record
from app.model.session import Session
from tests.conformance.planted.bug import PlantedBug


class LoadOverwrites(PlantedBug):
    """Puts what is loaded in the place of what is there."""

    red = "test_a_session_further_on_is_reported_and_left_alone"

    async def load(self, records: AsyncIterator[Record], *, replace: bool = False) -> Loaded:
        taken = [record async for record in records]
        for record in taken:
            if isinstance(record, Session):
                self.store.sessions.pop(record.id, None)

        async def again() -> AsyncIterator[Record]:
            for record in taken:
                yield record

        return await super().load(again(), replace=replace)


class LoadByRevision(PlantedBug):
    """Takes two sessions at the same revision for the same."""

    red = "test_a_session_in_another_state_is_reported_and_left_alone"

    async def load(self, records: AsyncIterator[Record], *, replace: bool = False) -> Loaded:
        loaded = await super().load(records, replace=replace)
        unchanged = loaded.unchanged + len(loaded.conflicts)
        return dataclasses.replace(loaded, unchanged=unchanged, conflicts=())


class DamageDoubled(PlantedBug):
    """Takes the same damage in at every load."""

    red = "test_loading_twice_changes_nothing"

    async def load(self, records: AsyncIterator[Record], *, replace: bool = False) -> Loaded:
        taken = [record async for record in records]
        kept = list(self.store.damages)

        async def again() -> AsyncIterator[Record]:
            for record in taken:
                yield record

        loaded = await super().load(again(), replace=replace)
        self.store.damages[:] = [*kept, *(one for one in taken if isinstance(one, Damage))]
        return loaded


class AttemptsNotExported(PlantedBug):
    """Leaves idempotency keys behind when a store is moved."""

    red = "test_a_loaded_session_lives_on"

    async def export(
        self, scope: Scope, *, after: SessionId | None = None
    ) -> AsyncIterator[Record]:
        async for record in super().export(scope, after=after):
            if not isinstance(record, IdempotencyRecord):
                yield record


class NewerTakenForLater(PlantedBug):
    """Follows another store by revisions alone, whatever was written here since."""

    red = "test_what_was_written_here_alone_is_never_given_up"

    async def load(self, records: AsyncIterator[Record], *, replace: bool = False) -> Loaded:
        taken = [record async for record in records]
        for record in taken:
            if isinstance(record, Session) and replace:
                here = self.store.sessions.get(record.id)
                if here and here.revision < record.revision:
                    del self.store.sessions[record.id]

        async def again() -> AsyncIterator[Record]:
            for record in taken:
                yield record

        return await super().load(again(), replace=replace)


class AttemptsOfDeletedForgotten(PlantedBug):
    """Leaves the idempotency keys of deleted sessions behind when a store is moved."""

    red = "test_attempts_on_deleted_sessions_move_along"

    async def export(
        self, scope: Scope, *, after: SessionId | None = None
    ) -> AsyncIterator[Record]:
        gone: set[SessionId] = set()
        async for record in super().export(scope, after=after):
            if isinstance(record, Deletion):
                gone.add(record.session_id)
            if not (isinstance(record, IdempotencyRecord) and record.session_id in gone):
                yield record
