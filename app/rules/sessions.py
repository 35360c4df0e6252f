"""What a session may be called and may carry."""

from __future__ import annotations

from app.model.errors import InvalidInput
from app.rules.limits import Limits
from app.rules.text import check_json_object, check_length


def check_key(key: str, limits: Limits) -> None:
    """Checks the key of a session. It is compared byte for byte, so nothing is folded here."""
    _check_name(key, "key", limits.key_length)


def check_title(title: str | None, limits: Limits) -> None:
    """Checks a title; None is no title, and a blank one is refused so that there is one way."""
    if title is None:
        return
    check_length(title, limits.title_length, ("title",))
    if not title.strip():
        raise InvalidInput("A title can't be blank. Give null for no title.", ("title",))


def check_channel(channel: str | None, limits: Limits) -> None:
    """Checks the name of the channel that a session comes from."""
    if channel is not None:
        _check_name(channel, "channel", limits.channel_length)


def check_metadata(metadata: object, limits: Limits) -> None:
    """Checks a session's metadata: a JSON object of a limited size and depth."""
    check_json_object(metadata, limits.metadata_bytes, ("metadata",), limits.json_depth)


def check_idempotency_key(key: str, limits: Limits) -> None:
    """Checks a client's name for an attempt."""
    _check_name(key, "idempotencyKey", limits.idempotency_key_length)


def check_expected_revision(revision: int) -> None:
    """Checks the revision that a change is made for."""
    if revision < 0:
        raise InvalidInput("A revision can't be negative.", ("expectedRevision",))


def _check_name(name: str, field: str, most: int) -> None:
    if not name:
        raise InvalidInput(f"{field} can't be empty.", (field,))
    check_length(name, most, (field,))
