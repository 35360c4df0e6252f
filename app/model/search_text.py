"""What of a message is searched, in which form, and what an index keeps of it.

Texts are compared in their normal form, after which there are four classes of characters: the
space; CJK (Han, Kana, Bopomofo, Hangul), which is found down to one character; words (letters
and digits of other scripts); and symbols (all else: punctuation, marks, emoji).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise

from app.model.parts import (
    AudioPart,
    FilePart,
    ImagePart,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

SEARCHED_LENGTH = 65_536
"""How many characters of a message are searched: its first ones."""

GRAM = 3
"""The length of the grams that an index keeps of every text, in characters."""

_CJK = (
    "\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303b"
    "\u3041-\u3096\u3099-\u30ff\u3105-\u318e\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua960-\ua97c\uac00-\ud7ff\uf900-\ufaff"
    "\U00016fe0-\U00016fff\U0001aff0-\U0001b16f\U00020000-\U0003ffff"
)
CJK_RUN = re.compile(f"[{_CJK}]+")
"""Matches CJK characters that stand together."""

_WORD_RUN = re.compile(rf"[^\W_{_CJK}]+")
# Some CJK characters, such as the middle dot, are no letters: these two find them as well.
_SYMBOL_BEYOND_ASCII = re.compile(r"[^\w\x00-\x7f]")
_SYMBOL_RUN = re.compile(r"[\W_]{2,}")
_ASCII_SHORT_WORD = re.compile(r"(?<![a-z0-9])[a-z0-9]{1,2}(?![a-z0-9])")
_ASCII_SYMBOLS = re.compile(r"[^a-z0-9 ]{2,}")

# Default_Ignorable_Code_Point of the Unicode Character Database (DerivedCoreProperties.txt).
_IGNORED = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)


def searchable_text(parts: Iterable[Part]) -> str:
    """Returns what of a message is searched, as it was written, one part a line.

    Words, calls of tools and their results, transcripts, descriptions of images, names of files;
    neither reasoning nor addresses. At most `SEARCHED_LENGTH` characters.
    """
    texts = [
        text
        for part in parts
        # Without a call for the words, which most parts are.
        for text in ((part.text,) if type(part) is TextPart else _texts(part))
        if text
    ]
    return "\n".join(texts)[:SEARCHED_LENGTH]


def normal_text(parts: Iterable[Part]) -> str:
    """Returns the normal form of what of a message is searched."""
    return normalize(searchable_text(parts))


def normalize(text: str) -> str:
    """Returns the form in which texts are compared.

    It is Unicode's NFKC_Casefold (section 3.13 of the standard): compatibility forms, case and
    invisible characters make no difference. Besides, white space is a single space, and none is
    at either end.
    """
    if text.isascii():
        return " ".join(text.lower().split())
    return " ".join(fold(text).split())


def fold(text: str) -> str:
    """Returns the normal form of a text, its white space left alone."""
    folded = unicodedata.normalize("NFKC", _IGNORED.sub("", text)).casefold()
    # Casefolding takes some characters apart, such as U+0390.
    return unicodedata.normalize("NFKC", folded)


def index_grams(normal: str) -> frozenset[str]:
    """Returns what an index keeps of a normal form: its grams of three characters and the short.

    The two can be told apart by their length.
    """
    return trigrams(normal) | short_grams(normal)


def trigrams(normal: str) -> frozenset[str]:
    """Returns every three adjacent characters of a normal form, spaces among them."""
    return frozenset(map("".join, zip(normal, normal[1:], normal[2:], strict=False)))


def short_grams(normal: str) -> frozenset[str]:
    """Returns what finds terms of one and two characters in a normal form.

    These are the words of that length, each CJK character and each pair of them, each symbol
    outside of ASCII and each pair of symbols. No two classes share a gram.
    """
    if normal.isascii():
        grams = set(_ASCII_SHORT_WORD.findall(normal))
        for run in _ASCII_SYMBOLS.findall(normal):
            grams.update(_pairs(run))
        return frozenset(grams)
    grams = {word for word in _WORD_RUN.findall(normal) if len(word) < GRAM}
    symbols = set(_SYMBOL_BEYOND_ASCII.findall(normal))
    for run in set(_SYMBOL_RUN.findall(normal)):
        symbols.update([pair for pair in _pairs(run) if " " not in pair])
    grams.update([gram for gram in symbols if not CJK_RUN.search(gram)])
    return cjk_grams(normal).union(grams)


def cjk_grams(normal: str) -> frozenset[str]:
    """Returns those of the short grams that are CJK."""
    grams: set[str] = set()
    for run in set(CJK_RUN.findall(normal)):
        grams.update(run)
        grams.update(_pairs(run))
    return frozenset(grams)


def has_cjk(text: str) -> bool:
    """Answers whether a text has a character that is CJK."""
    return not text.isascii() and CJK_RUN.search(text) is not None


def is_word_character(character: str) -> bool:
    """Answers whether a character is a letter or a digit, and not CJK."""
    return character.isalnum() and not has_cjk(character)


def _pairs(run: str) -> Iterator[str]:
    return map("".join, pairwise(run))


def _texts(part: Part) -> tuple[str | None, ...]:
    match part:
        case TextPart(text=text) | ToolResultPart(text=text):
            return (text,)
        case ToolCallPart(name=name, arguments_text=arguments):
            return (name, arguments)
        case AudioPart(transcript=transcript):
            return (transcript,)
        case ImagePart(alt=alt):
            return (alt,)
        case FilePart(file_name=name):
            return (name,)
        case _:
            return ()
