"""Global ids."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.errors import InvalidInput
from app.model.identifiers import AgentId, MessageId, ProfileId, Sequence, SessionId, UserId
from app.model.message import Message
from app.model.session import Agent, Profile, Session, User
from app.schema.global_id import (
    Identified,
    decode_agent_id,
    decode_global_id,
    decode_message_id,
    decode_profile_id,
    decode_session_id,
    encode_global_id,
    encode_message_id,
    encode_session_id,
)

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@given(TEXT)
def test_a_session_has_one_id_that_leads_back_to_it(text: str) -> None:
    encoded = encode_session_id(SessionId(text))
    assert re.fullmatch(r"[A-Za-z0-9_-]+", encoded)
    assert decode_global_id(encoded) == (Session, text)
    assert decode_session_id(encoded, ("id",)) == text


@given(TEXT, st.integers(1, 2**31))
def test_a_message_has_one_id_that_leads_back_to_it(text: str, number: int) -> None:
    encoded = encode_message_id(SessionId(text), Sequence(number))
    assert decode_global_id(encoded) == (Message, MessageId(SessionId(text), Sequence(number)))


@given(TEXT)
def test_things_of_different_kinds_never_share_an_id(text: str) -> None:
    people: list[Identified] = [User(UserId(text)), Agent(AgentId(text)), Profile(ProfileId(text))]
    encoded = [encode_global_id(each) for each in people]
    assert len({*encoded, encode_session_id(SessionId(text))}) == 4
    assert [decode_global_id(each)[0] for each in encoded] == [User, Agent, Profile]
    assert str(decode_agent_id(encoded[1], ("id",))) == text
    assert str(decode_profile_id(encoded[2], ("id",))) == text


@given(st.text(max_size=80) | st.text(ALPHABET, max_size=80))
def test_any_text_is_refused_or_is_the_one_id_of_what_it_names(text: str) -> None:
    try:
        kind, identity = decode_global_id(text)
    except InvalidInput:
        return
    if isinstance(identity, MessageId):
        assert encode_message_id(*identity) == text
    elif kind is Session:
        assert encode_session_id(SessionId(identity)) == text
    else:
        assert encode_global_id(kind(identity)) == text  # type: ignore[call-arg, arg-type]


@pytest.mark.parametrize(
    "text", ["", "=", "UzE=", "UzE==", "UzF", " UzE", "UzE\n", "É", "U\x00zE", "S", "A" * 5_000]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        decode_global_id(text)
    assert refused.value.path == ("id",)


def test_an_id_of_another_kind_is_refused_by_name() -> None:
    message = encode_message_id(SessionId("s"), Sequence(1))
    with pytest.raises(InvalidInput, match="id of a Message, and a Session is meant") as refused:
        decode_session_id(message, ("input", "sessionId"))
    assert refused.value.path == ("input", "sessionId")
    with pytest.raises(InvalidInput, match="id of a Session, and a Message is meant"):
        decode_message_id(encode_session_id(SessionId("s")), ("id",))
