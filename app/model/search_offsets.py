"""Where in a text each character of its normal form comes from."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache

from app.model.search_text import fold

# Its last character has to stand alone: one that follows might combine with it.
_PLAIN = re.compile(r"[!-~]+(?=[\x00-\x7f]|\Z)")


@dataclass(slots=True)
class Offsets:
    """For each character of a normal form: where the part of the text begins and ends for it."""

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    _space: tuple[int, int] | None = None

    def add(self, character: str, start: int, end: int) -> None:
        """Adds a character that comes from a part of the text as a whole.

        White space counts once something follows it, and as the one character that it becomes.
        """
        if not character.isspace():
            self._end_space()
            self.starts.append(start)
            self.ends.append(end)
        elif self.starts and self._space is None:
            self._space = start, end

    def add_each(self, start: int, end: int) -> None:
        """Adds a part of the text in which each character stays one."""
        self._end_space()
        self.starts.extend(range(start, end))
        self.ends.extend(range(start + 1, end + 1))

    def _end_space(self) -> None:
        if self._space is not None:
            self.starts.append(self._space[0])
            self.ends.append(self._space[1])
            self._space = None


def offsets_of(text: str, place: int, reach: int) -> Offsets:
    """Returns where the characters of `normalize(text)` come from.

    They are told up to the one at `place`, and `reach` characters of the text further; the normal
    form may go on from there.
    """
    offsets = Offsets()
    at = 0
    while at < len(text) and not (
        len(offsets.starts) > place and at > offsets.starts[place] + reach
    ):
        if plain := _PLAIN.match(text, at):
            end = plain.end()
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
