"""Examining a store in memory: counters against recounts, logs for gaps, orders for strays."""

from __future__ import annotations

from collections.abc import Iterator

from app.backends.memory.state import SessionState, has_whole_log
from app.backends.memory.store import MemoryStore
from app.backends.protocol import Finding, Severity

_NAMED = 10
"""How many sessions a finding names."""


def check(store: MemoryStore) -> Iterator[Finding]:
    """Yields what is to be said of the store; see `Backend.check`."""
    for code, fault, wrong in (
        ("COUNTERS_DRIFTED", "have counters that differ from a recount", _drifted),
        ("LOG_GAP", "have an event log with a gap", _has_gap),
        ("SEQUENCE_BEHIND", "would number their next message twice", _is_behind),
    ):
        found = [session_id for session_id in store.ids if wrong(store.live[session_id])]
        if found:
            named = ", ".join(found[:_NAMED]) + (" …" if len(found) > _NAMED else "")
            yield Finding(
                Severity.ERROR,
                code,
                f"{len(found)} sessions {fault}: {named}",
                "This is a fault of Scrollback: export the store, and report what happened.",
            )
    if store.damages:
        yield Finding(
            Severity.INFO,
            "DAMAGE_KEPT",
            f"{len(store.damages)} damaged records of imported files are kept as they came",
            "Run `scrollback export` and look at the records of type damage.",
        )


def repair(store: MemoryStore) -> int:
    """Sets drifted counters to their recount; returns how many sessions were mended."""
    mended = 0
    for state in list(store.live.values()):
        if _drifted(state):
            before, state.session = state.session, state.recounted()
            store.put(state, before)
            mended += 1
    return mended


def _drifted(state: SessionState) -> bool:
    return state.session != state.recounted()


def _has_gap(state: SessionState) -> bool:
    return not has_whole_log(state.events, state.session.revision)


def _is_behind(state: SessionState) -> bool:
    return bool(state.sequences) and state.sequences[-1] > state.session.last_sequence
