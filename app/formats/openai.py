"""Conversations in the OpenAI chat format, one JSON object `{"messages": [...]}` a line.

A bare list of messages is taken as well. An object may name `key` (or `session_id`, `id`),
`title`, `created_at` (or `created`, `timestamp`), `channel`, `kind`, `agent`, `profile` and
`metadata`; every other field is kept in the session's metadata.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import orjson

from app.formats.chat_messages import ChatReader
from app.formats.conversation import Conversation, Conversations, Progress, no_progress
from app.formats.lines import (
    Line,
    SourceUnreadable,
    Unreadable,
    check_value,
    encode_damaged,
    parse_line,
    read_lines,
)
from app.formats.times import take_time
from app.model.identifiers import AgentId, ProfileId
from app.model.message import NewMessage
from app.model.records import Damage
from app.model.session import Agent, Profile, SessionKind
from app.model.timestamps import Timestamp, to_timestamp

FORMAT = "openai"
DEFAULT_START = datetime(1970, 1, 1, tzinfo=UTC)

_PATIENCE = 100
"""After how many lines that are no conversation a file is taken for something else."""

_KEYS = ("key", "session_id", "id")
_TIMES = ("created_at", "created", "timestamp")


async def read_openai(
    path: Path,
    *,
    start: datetime = DEFAULT_START,
    zone: tzinfo = UTC,
    progress: Progress = no_progress,
) -> Conversations:
    """Yields the conversations of a file, and what of it could not be read.

    A conversation without a key gets one from its content and from how many like it stand before
    it, so the key stays when the file is moved, sorted or grows. One without any time gets
    `start` and as many minutes as its line's number. Times without an offset are read in `zone`.
    Raises `SourceUnreadable`, also for a file that is of something else.
    """
    seen: Counter[bytes] = Counter()
    # Held back until the file has proved to be one of chats, so that a wrong one leaves no trace.
    held: list[Damage] | None = []
    async for line in read_lines(path, progress):
        reader = _LineReader(path.name, line, start, zone)
        try:
            conversation = reader.read(seen)
        except Unreadable as error:
            damage = Damage(path.name, line.number, str(error), line.content)
            if held is None:
                yield damage
                continue
            held.append(damage)
            if len(held) >= _PATIENCE:
                raise SourceUnreadable(
                    f'{path} holds no chats, one {{"messages": [...]}} a line: none of its first '
                    f"{_PATIENCE} lines is one ({error}). Nothing was imported."
                ) from error
            continue
        for damage in [*(held or []), *reader.damages]:
            yield damage
        held = None
        yield conversation
    for damage in held or []:
        yield damage


class _LineReader:
    def __init__(self, source: str, line: Line, start: datetime, zone: tzinfo) -> None:
        self.damages: list[Damage] = []
        self._source = source
        self._line = line
        self._start = start
        self._zone = zone

    def read(self, seen: Counter[bytes]) -> Conversation:
        value = parse_line(self._line)
        if isinstance(value, list):
            value = {"messages": value}
        if not isinstance(value, dict) or not isinstance(value.get("messages"), list):
            raise Unreadable("the line is no conversation: an object with a list `messages`")
        fields = dict(value)
        said = fields.pop("messages")
        check_value(fields)
        messages = self._messages(said)
        if said and not messages:
            raise Unreadable(f"none of its messages can be read: {self.damages[0].reason}")
        key = _take_name(fields, _KEYS) or _content_key(said, seen)
        created_at = take_time(fields, _TIMES, self._zone)
        return Conversation(
            key=key,
            title=_take_name(fields, ("title",)),
            channel=_take_name(fields, ("channel",)),
            kind=_take_kind(fields),
            agent=_take_agent(fields),
            profile=_take_profile(fields),
            created_at=created_at or self._derived_time(messages),
            metadata=_metadata(fields),
            messages=messages,
            source=self._source,
            line=self._line.number,
            format=FORMAT,
        )

    def _messages(self, said: list[Any]) -> tuple[NewMessage, ...]:
        chat = ChatReader(self._zone)
        messages: list[NewMessage] = []
        for number, value in enumerate(said, start=1):
            try:
                messages.append(chat.read(value))
            except Unreadable as error:
                reason = f"message {number}: {error}"
                content = encode_damaged(value)
                self.damages.append(Damage(self._source, self._line.number, reason, content))
        return tuple(messages)

    def _derived_time(self, messages: tuple[NewMessage, ...]) -> Timestamp:
        given = next((m.created_at for m in messages if m.created_at is not None), None)
        return given or to_timestamp(self._start + timedelta(minutes=self._line.number))


def _content_key(said: list[Any], seen: Counter[bytes]) -> str:
    try:
        canonical = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # What orjson can't write (half a surrogate pair, a very long number) is damage in the
        # end, but the conversation around it has a key all the same.
        canonical = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    digest = hashlib.sha256(canonical).digest()[:16]
    seen[digest] += 1
    occurrence = seen[digest]
    return f"openai-{digest.hex()}" + (f"-{occurrence}" if occurrence > 1 else "")


def _take_name(fields: dict[str, Any], names: tuple[str, ...]) -> str | None:
    """Takes the first field that names something: text that is not blank, or a whole number."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str) and value.strip():
            del fields[name]
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            del fields[name]
            return str(value)
        if value is None or value == "":
            fields.pop(name, None)
    return None


def _take_kind(fields: dict[str, Any]) -> SessionKind:
    given = fields.get("kind")
    for kind in SessionKind:
        if given == kind.value:
            del fields["kind"]
            return kind
    return SessionKind.DIRECT


def _take_agent(fields: dict[str, Any]) -> Agent | None:
    named = _take_named(fields, "agent")
    return None if named is None else Agent(AgentId(named[0]), named[1])


def _take_profile(fields: dict[str, Any]) -> Profile | None:
    named = _take_named(fields, "profile")
    return None if named is None else Profile(ProfileId(named[0]), named[1])


def _take_named(fields: dict[str, Any], name: str) -> tuple[str, str | None] | None:
    """Takes an id, or an object of an id and a name; anything else stays for the metadata."""
    value = fields.get(name)
    named = {"id": value} if isinstance(value, str) else value
    if not isinstance(named, dict) or named.keys() - {"id", "name"}:
        return None
    identifier, display_name = named.get("id"), named.get("name")
    if not isinstance(identifier, str) or not identifier.strip():
        return None
    if not isinstance(display_name, str | None):
        return None
    del fields[name]
    return identifier, display_name


def _metadata(fields: dict[str, Any]) -> dict[str, Any]:
    given = fields.get("metadata")
    if isinstance(given, dict) and not given.keys() & fields.keys():
        return {**given, **{name: value for name, value in fields.items() if name != "metadata"}}
    return fields
