"""Digests of requests: the same for the same request, another for any other."""

from __future__ import annotations

from app.model.message import MessageRole, NewMessage
from app.model.parts import ImagePart, Part, TextPart
from app.resolvers.attempts import Attempt, digest_request
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
