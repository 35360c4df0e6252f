"""Where in a text each character of its normal form comes from."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache

from app.model.search_text import fold

# Each character stays one.
_PLAIN = re.compile(r"[!-~]+(?:[ \t\n\r][!-~]+)*")

_STRIDE = 512
"""How many characters before the place that is asked for are measured together."""


@dataclass(slots=True)
class Offsets:
    """Where characters of a normal form come from, those from the number `first` on.

    For each of them the beginning and the end of its part of the text.
    """

    first: int = 0
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    _space: tuple[int, int] | None = None

    @property
    def end(self) -> int:
        """The number of the first character that is not told any more."""
        return self.first + len(self.starts)

    def add(self, character: str, start: int, end: int) -> None:
        """Adds a character that comes from a part of the text as a whole.

        White space counts once something follows it, and as the one character that it becomes.
        """
        if not character.isspace():
            self._end_space()
            self.starts.append(start)
            self.ends.append(end)
        elif self.end and self._space is None:
            self._space = start, end

    def add_each(self, start: int, end: int) -> None:
        """Adds a part of the text in which each character stays one."""
        self._end_space()
        self.starts.extend(range(start, end))
        self.ends.extend(range(start + 1, end + 1))

    def skip(self, folded: str, end: int, place: int) -> bool:
        """Passes over a part of the text that ends there, in folded form.

        Answers whether it did: a part that reaches the character numbered `place` it leaves.
        """
        words = " ".join(folded.split())
        after_space = bool(self._space) or (self.end > 0 and folded[:1].isspace())
        reached = self.first + len(words) + (1 if words and after_space else 0)
        if reached > place:
            return False
        self.first = reached
        if words or after_space:
            at_end = not words or folded[-1].isspace()
            self._space = (end - 1, end) if at_end else None
        return True

    def _end_space(self) -> None:
        if self._space is not None:
            self.starts.append(self._space[0])
            self.ends.append(self._space[1])
            self._space = None


def offsets_of(text: str, place: int, reach: int) -> Offsets:
    """Returns where the characters of `normalize(text)` around the one numbered `place` come from.

    They are told from some way before it to `reach` characters of the text after it, at least.
    """
    offsets = Offsets()
    at = 0
    while at + _STRIDE < len(text):
        end = end_of_cluster(text, at + _STRIDE - 1)
        if not offsets.skip(fold(text[at:end]), end, place):
            break
        at = end
    while at < len(text) and not (
        offsets.end > place and at > offsets.starts[place - offsets.first] + reach
    ):
        plain = _PLAIN.match(text, at, at + _STRIDE)
        end = plain.end() if plain else at
        if not text[end : end + 1].isascii():
            end -= 1  # What follows might combine with the last character.
        if end > at:
            offsets.add_each(at, end)
        else:
            end = end_of_cluster(text, at)
            for character in _fold_cluster(text[at:end]):
                offsets.add(character, at, end)
        at = end
    return offsets


def end_of_cluster(text: str, start: int) -> int:
    """Returns where a character ends with all that combines with it."""
    end = start + 1
    while end < len(text) and not begins_cluster(text[end]):
        end += 1
    return end


@lru_cache(maxsize=4096)
def begins_cluster(character: str) -> bool:
    """Answers whether a character's normal form is its own, whatever stands before it."""
    folded = fold(character)
    return bool(folded) and not (
        unicodedata.category(folded[0]).startswith("M")
        # Vowels and finals of Hangul, which make a syllable with what they follow.
        or "\u1160" <= folded[0] <= "\u11ff"
    )


_fold_cluster = lru_cache(maxsize=4096)(fold)
