"""Moving a store's content to another store, whatever each is kept in."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields

from app.backends.protocol import EVERYTHING, Backend
from app.model.identifiers import SessionId
from app.model.records import Loaded, Record

_LAST_ID = SessionId("f" * 32)


async def copy_store(
    source: Backend, target: Backend, *, on_record: Callable[[Record], None]
) -> Loaded:
    """Brings everything of one store to another, with ids, numbers, logs and idempotency keys.

    May be repeated, and stopped at any time: what the target has already is left alone, a session
    whose target state is an earlier one is brought forward, and one that was written to in the
    target alone is left as it is and named in `conflicts`. Each session is copied as one state;
    what is written to the source meanwhile comes with the next copy. `on_record` is told of each
    record of a session that was read. Raises `StoreUnavailable`; run it again then.
    """
    # Deletions go first, for a session may have the key of one that is gone in the source.
    async with _stream(source, after=_LAST_ID) as gone:
        deletions = await target.load(gone, replace=True)
    async with _stream(source, on_record=on_record) as records:
        return _sum(deletions, await target.load(records, replace=True))


@asynccontextmanager
async def _stream(
    source: Backend,
    *,
    after: SessionId | None = None,
    on_record: Callable[[Record], None] | None = None,
) -> AsyncIterator[AsyncIterator[Record]]:
    """Yields the records of a store; its connection is given back when the block ends."""
    records = source.export(EVERYTHING, after=after)
    told = records if on_record is None else _told(records, on_record)
    try:
        yield told
    finally:
        for one in (told, records):
            if isinstance(one, AsyncGenerator):
                await one.aclose()


async def _told(
    records: AsyncIterator[Record], on_record: Callable[[Record], None]
) -> AsyncGenerator[Record, None]:
    async for record in records:
        on_record(record)
        yield record


def _sum(first: Loaded, second: Loaded) -> Loaded:
    counts = {
        field.name: getattr(first, field.name) + getattr(second, field.name)
        for field in fields(Loaded)
    }
    # A deletion that the target refuses is met in both.
    counts["conflicts"] = tuple(dict.fromkeys(counts["conflicts"]))
    return Loaded(**counts)
