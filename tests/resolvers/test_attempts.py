"""Digests of requests: the same for the same request, another for any other."""

from __future__ import annotations

from app.model.identifiers import MessageId, Sequence, SessionId
from app.model.message import MessageRole, NewMessage, Sender
from app.model.parts import ImagePart, OtherPart, Part, TextPart, ToolResultPart
from app.resolvers.attempts import Attempt, digest_request
from app.resolvers.messages import MessageEdit
from app.resolvers.sessions import SessionDraft


def message(part: Part, **metadata: int) -> NewMessage:
    return NewMessage(role=MessageRole.USER, parts=(part,), metadata=metadata)


def test_the_digest_does_not_depend_on_the_key_or_the_order_of_json_fields() -> None:
    one = Attempt("addMessages", ("s", (message(TextPart("a"), x=1, y=2),)), "key 1")
    same = Attempt("addMessages", ("s", (message(TextPart("a"), y=2, x=1),)), "key 2")
    first, second = one.idempotency(), same.idempotency()
    assert first is not None
    assert second is not None
    assert first.digest == second.digest
    assert len(first.digest) == 64
    assert (first.key, second.key) == ("key 1", "key 2")
    assert Attempt("addMessages", ()).idempotency() is None


def test_the_digest_depends_on_everything_that_was_asked_for() -> None:
    requests: list[tuple[str, tuple[object, ...]]] = [
        ("addMessages", ("s", (message(TextPart("a")),))),
        ("addMessages", ("t", (message(TextPart("a")),))),
        ("replaceMessages", ("s", (message(TextPart("a")),))),
        ("addMessages", ("s", (message(TextPart("b")),))),
        ("addMessages", ("s", (message(ImagePart("a")),))),
        ("addMessages", ("s", (message(TextPart("a"), x=1),))),
        ("addMessages", ("s", (message(TextPart("a")), message(TextPart("a"))))),
        ("createSession", (SessionDraft(title="T"), False)),
        ("createSession", (SessionDraft(title="T"), True)),
        ("createSession", (SessionDraft(key="T"), True)),
        ("renameSession", ("s", None)),
        ("renameSession", ("s", "None")),
    ]
    assert len({digest_request(*request) for request in requests}) == len(requests)


def test_digests_that_stores_hold_already_stay_what_they_are() -> None:
    parts = (TextPart("a"), ToolResultPart("c", "t"), OtherPart("k", {"b": [1, {"x": 2}]}))
    whole = NewMessage(MessageRole.USER, parts, sender=Sender("n"), metadata={"x": 1})
    edited = MessageId(SessionId("s"), Sequence(3))
    assert [
        digest_request("addMessages", ("s", (whole, NewMessage(MessageRole.TOOL, ())))),
        digest_request("createSession", (SessionDraft(title="T"), False)),
        digest_request("editMessage", (edited, MessageEdit(parts=(TextPart("b"),)), None)),
    ] == [
        "342e82e6abb345dbad238df85f33c5c32e2b406482b91158bd4acbff78fb7263",
        "ad5cfcbe2e0e8baf2a5afca8143da531cc7e7882dd4fad4338967a5076f58a2b",
        "25fc26859ef3c61f8271a010f546da3d8c8878d22a8f8ece707a7032e719dd62",
    ]
