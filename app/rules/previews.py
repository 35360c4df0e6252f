"""What a list of sessions shows of a message."""

from __future__ import annotations

from collections.abc import Iterable

from app.model.message import MessageRole
from app.model.parts import Part, TextPart

PREVIEW_LENGTH = 120
"""The longest preview, in characters, its ellipsis included."""

_SPOKEN = frozenset({MessageRole.USER, MessageRole.ASSISTANT})


def preview_of(role: MessageRole, parts: Iterable[Part]) -> str | None:
    """Returns the first text of a message with its white space folded, cut at 120 characters.

    None for a role that is not part of the conversation proper, and where there are no words.
    """
    if role not in _SPOKEN:
        return None
    for part in parts:
        if isinstance(part, TextPart) and (preview := _folded(part.text)):
            return preview
    return None


def _folded(text: str) -> str:
    """Folds no more of a long text than is shown of it."""
    # So many words fill it; what follows them comes as it is, and is cut off.
    folded = " ".join(text.split(None, PREVIEW_LENGTH))
    if len(folded) > PREVIEW_LENGTH:
        return folded[: PREVIEW_LENGTH - 1].rstrip() + "…"
    return folded
