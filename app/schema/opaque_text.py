"""Bytes as text that is safe in a URL: base64url without padding (RFC 4648, section 5)."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

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
