"""The ids that clients hold: opaque, URL-safe, and the same thing always has the same one.

An id is the unpadded base64url (RFC 4648, section 5) of a letter for the kind and the thing's own
identity, which of a message is its session, bytes that are in no text, and its number. Decoding
accepts only what encoding gives, so two ids are the same thing exactly when they are the same text.
"""

from __future__ import annotations

import binascii
import re
from functools import lru_cache
from typing import TypeAlias, TypeVar

from app.model.errors import InvalidInput
from app.model.identifiers import AgentId, MessageId, ProfileId, Sequence, SessionId, UserId
from app.model.message import Message
from app.model.session import Agent, Profile, Session, User
from app.schema.opaque_text import WHOLE_BYTES, Remembered, decode_opaque, encode_opaque

Identified: TypeAlias = Session | Message | User | Agent | Profile

NodeId: TypeAlias = tuple[type[Identified], "SessionId | MessageId | UserId | AgentId | ProfileId"]
"""What an id names: the kind of thing, and its identity."""

MOST_CHARACTERS = 4_096
"""No id is longer than this; a longer text is not even looked at."""

_REMEMBERED_CHARACTERS = 64

_LETTERS: dict[type[Identified], str] = {
    Session: "S",
    Message: "M",
    User: "U",
    Agent: "A",
    Profile: "P",
}
_KINDS = {letter.encode(): kind for kind, letter in _LETTERS.items()}
_ALPHABET = re.compile(r"[A-Za-z0-9_-]+")
_NUMBER = re.compile(rb"0|[1-9][0-9]{0,17}")
_BORDER = b"\xff"
"""Between a session and a number, as often as it takes to have whole letters before the number; no
text in UTF-8 has it."""

IdT = TypeVar("IdT", SessionId, UserId, AgentId, ProfileId)


# The same things are asked for again and again, and making an id costs several times its look-up.
@lru_cache(maxsize=4_096)
def encode_session_id(session_id: SessionId) -> str:
    """Returns the id of a session."""
    return encode_opaque(f"S{session_id}".encode())


def encode_message_id(session_id: SessionId, sequence: Sequence) -> str:
    """Returns the id of a message."""
    return _SESSIONS[session_id] + _SEQUENCES[sequence]


def _session_content(session_id: str) -> bytes:
    content = f"M{session_id}".encode()
    return content + _BORDER * (WHOLE_BYTES - len(content) % WHOLE_BYTES)


_SESSIONS: Remembered[str] = Remembered(
    lambda session_id: encode_opaque(_session_content(session_id)), 1_024
)
_SEQUENCES: Remembered[int] = Remembered(lambda number: encode_opaque(b"%d" % number), 8_192)


def encode_global_id(node: Identified) -> str:
    """Returns the id of a thing."""
    if isinstance(node, Message):
        return encode_message_id(node.session_id, node.sequence)
    return _encode_identity(_LETTERS[type(node)], node.id)


@lru_cache(maxsize=1_024)
def _encode_identity(letter: str, identity: str) -> str:
    return encode_opaque(f"{letter}{identity}".encode())


def decode_global_id(text: str, path: tuple[str, ...] = ("id",)) -> NodeId:
    """Returns what an id names. InvalidInput for text that no encoding gives."""
    if len(text) > _REMEMBERED_CHARACTERS:
        found = None if len(text) > MOST_CHARACTERS else _decode(text)
    else:
        found = _decode_remembered(text)
    if found is None:
        raise InvalidInput("This is no id. Ids are opaque: use them as the API gave them.", path)
    return found


def decode_session_id(text: str, path: tuple[str, ...]) -> SessionId:
    """Returns the session that an id names. InvalidInput for the id of anything else."""
    return SessionId(_decode_as(Session, text, path))


def decode_agent_id(text: str, path: tuple[str, ...]) -> AgentId:
    """Returns the agent that an id names. InvalidInput for the id of anything else."""
    return AgentId(_decode_as(Agent, text, path))


def decode_profile_id(text: str, path: tuple[str, ...]) -> ProfileId:
    """Returns the profile that an id names. InvalidInput for the id of anything else."""
    return ProfileId(_decode_as(Profile, text, path))


def decode_message_id(text: str, path: tuple[str, ...]) -> MessageId:
    """Returns the message that an id names. InvalidInput for the id of anything else."""
    kind, identity = decode_global_id(text, path)
    if not isinstance(identity, MessageId):
        raise _mistaken(kind, Message, path)
    return identity


def _decode_as(expected: type[Identified], text: str, path: tuple[str, ...]) -> str:
    kind, identity = decode_global_id(text, path)
    if kind is not expected or isinstance(identity, MessageId):
        raise _mistaken(kind, expected, path)
    return identity


def _decode(text: str) -> NodeId | None:
    """Returns what encodes to this very text; None where there is nothing."""
    if not _ALPHABET.fullmatch(text):
        return None
    try:
        content = decode_opaque(text)
        if encode_opaque(content) != text or len(content) < 2:
            return None
        kind = _KINDS.get(content[:1])
        if kind is Message:
            return _decode_message(content)
        return None if kind is None else (kind, SessionId(content[1:].decode()))
    except (binascii.Error, UnicodeDecodeError):
        return None


def _decode_message(content: bytes) -> NodeId | None:
    session, _, number = content[1:].rpartition(_BORDER)
    session_id = SessionId(session.rstrip(_BORDER).decode())
    if not session_id or not _NUMBER.fullmatch(number):
        return None
    named = MessageId(session_id, Sequence(int(number)))
    # The border has one right width.
    return (Message, named) if content == _session_content(session_id) + number else None


# Whoever writes to a session names it again and again. Clients choose what is remembered here, so
# it is short and little.
_decode_remembered = lru_cache(maxsize=4_096)(_decode)


def _mistaken(
    kind: type[Identified], expected: type[Identified], path: tuple[str, ...]
) -> InvalidInput:
    return InvalidInput(
        f"This is the id of a {kind.__name__}, and a {expected.__name__} is meant.", path
    )
