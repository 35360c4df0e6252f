"""Bytes as text that is safe in a URL: base64url without padding (RFC 4648, section 5).

A text for each message of a page is put together from two that are remembered: the beginning is
the same for a whole session and the end for a number in any of them. To remember the texts
themselves would cost more than to make them, since so many do not stay in the processor's caches.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K", str, int)

WHOLE_BYTES = 3
"""So many bytes are whole letters: what stands before such a place and behind it can be encoded
apart."""

_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


def encode_opaque(content: bytes) -> str:
    """Returns the text of some bytes."""
    return b2a_base64(content).translate(_TO_URL, b"=\n").decode()


def decode_opaque(text: str) -> bytes:
    """Returns the bytes of a text of base64url's own letters. binascii.Error for a wrong length.

    Several texts decode to the same bytes; encoding those gives one of them.
    """
    return a2b_base64(text.encode().translate(_FROM_URL) + b"=" * (-len(text) % 4))


class Remembered(dict[K, str], Generic[K]):
    """Texts by what they are made from, made when they are first asked for."""

    def __init__(self, make: Callable[[K], str], most: int) -> None:
        """Begins anew when there are `most`."""
        super().__init__()
        self._make: Callable[[K], str] = make
        self._most = most

    def __missing__(self, key: K) -> str:
        """Makes a text."""
        if len(self) >= self._most:
            self.clear()
        text = self[key] = self._make(key)
        return text
