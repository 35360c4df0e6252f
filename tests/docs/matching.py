"""Comparing what a page shows with what really comes; `…` stands for anything."""

from __future__ import annotations

import re
from typing import Any, Final

ELISION: Final = "…"


def text_matches(shown: str, real: str) -> bool:
    """Answers whether a text is as shown. A line of `…` alone stands for any number of lines."""
    lines = [
        "(?:.*\n)*?" if line.strip() == ELISION else _pattern(line.rstrip()) + " *\n"
        for line in shown.strip("\n").splitlines()
    ]
    return re.fullmatch("".join(lines), real.strip("\n") + "\n") is not None


def json_matches(shown: Any, real: Any) -> bool:
    """Answers whether a JSON value is as shown.

    `"…"` stands for any value, among a list's items for any number of them, and as a field's name
    for any further fields; inside a longer text it stands for any characters.
    """
    if shown == ELISION:
        return True
    if isinstance(shown, dict) and isinstance(real, dict):
        named = shown.keys() - {ELISION}
        if named - real.keys() or (ELISION not in shown and real.keys() - named):
            return False
        return all(json_matches(shown[name], real[name]) for name in named)
    if isinstance(shown, list) and isinstance(real, list):
        return _lists_match(shown, real)
    if isinstance(shown, str) and isinstance(real, str):
        return re.fullmatch(_pattern(shown), real, re.DOTALL) is not None
    return type(shown) is type(real) and bool(shown == real)


def _lists_match(shown: list[Any], real: list[Any]) -> bool:
    if not shown:
        return not real
    if shown[0] == ELISION:
        return any(_lists_match(shown[1:], real[start:]) for start in range(len(real) + 1))
    return bool(real) and json_matches(shown[0], real[0]) and _lists_match(shown[1:], real[1:])


def _pattern(text: str) -> str:
    return ".*".join(re.escape(piece) for piece in text.split(ELISION))
