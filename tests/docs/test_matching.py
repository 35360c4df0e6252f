"""The comparison itself: it must be able to say no."""

from __future__ import annotations

import pytest

from tests.docs.matching import json_matches, text_matches


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        ("7 sessions\n", "7 sessions"),
        ("7 sessions in … s", "7 sessions in 0.3 s"),
        ("first\n…\nlast", "first\nlast"),
        ("first\n…\nlast", "first\nsecond\nthird\nlast"),
    ],
)
def test_text_is_as_shown(shown: str, real: str) -> None:
    assert text_matches(shown, real)


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        ("7 sessions", "8 sessions"),
        ("7 sessions", "7 sessions\nand a warning"),
        ("in … s", "in 0.3\ns"),
        ("first\n…\nlast", "first\nsecond"),
    ],
)
def test_text_is_not_as_shown(shown: str, real: str) -> None:
    assert not text_matches(shown, real)


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        ({"id": "…", "n": 1}, {"n": 1, "id": "abc"}),
        ({"n": 1, "…": "…"}, {"n": 1, "m": 2}),
        ([1, "…"], [1, 2, 3]),
        ([1, "…"], [1]),
        (["…", 3], [1, 2, 3]),
        ("begins…", "begins\nand ends"),
        (None, None),
    ],
)
def test_json_is_as_shown(shown: object, real: object) -> None:
    assert json_matches(shown, real)


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        ({"id": "…"}, {}),
        ({"n": 1}, {"n": 1, "m": 2}),
        ({"n": 1}, {"n": 2}),
        ([1], [1, 2]),
        ([], [1]),
        ([1, "…"], [2]),
        ("begins …", "ends"),
        (1, True),
        (None, False),
    ],
)
def test_json_is_not_as_shown(shown: object, real: object) -> None:
    assert not json_matches(shown, real)
