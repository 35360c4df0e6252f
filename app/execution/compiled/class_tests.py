"""Type predicates that a value's class decides, told by their bytecode.

Most `is_type_of` are one `isinstance()`, and many `resolve_type` name the value's class. What those
answer is the same for every value of a class, so it need not be asked of each.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final


def class_tested_for(predicate: Callable[..., Any]) -> type | None:
    """Returns the class that a predicate tells the instances of, None for any other predicate.

    The predicate's code is `return isinstance(value, Class)`, or the same with `module.Class`.
    """
    function = _plain_function(predicate)
    patterns = _CLASS_TESTS[_values_index(predicate)]
    if function is None or not _looks_like(function.__code__, patterns):
        return None
    names = function.__code__.co_names
    known: dict[str, Any] = function.__globals__
    if names[0] != "isinstance" or "isinstance" in known:
        return None
    tested: Any = known.get(names[1])
    if len(names) == 3:
        tested = getattr(tested, names[2], None) if isinstance(tested, ModuleType) else None
    if not isinstance(tested, type):
        return None
    return tested if type(tested).__instancecheck__ is type.__instancecheck__ else None


def names_class(resolver: Callable[..., Any]) -> bool:
    """Tells whether a `resolve_type` is `return type(value).__name__`."""
    function = _plain_function(resolver)
    return (
        function is not None
        and function.__code__.co_names == ("type", "__name__")
        and "type" not in function.__globals__
        and _looks_like(function.__code__, _NAMINGS[_values_index(resolver)])
    )


def _plain_function(function: Callable[..., Any]) -> FunctionType | None:
    found = function.__func__ if isinstance(function, MethodType) else function
    if not isinstance(found, FunctionType) or found.__closure__ is not None:
        return None
    return found


def _values_index(function: Callable[..., Any]) -> int:
    return 1 if isinstance(function, MethodType) else 0


def _looks_like(code: CodeType, patterns: tuple[CodeType, ...]) -> bool:
    return any(
        code.co_code == pattern.co_code and len(code.co_names) == len(pattern.co_names)
        for pattern in patterns
    )


def _codes(*texts: str) -> tuple[CodeType, ...]:
    """Returns the code of each text, which this very version of Python makes of it."""
    made: dict[str, Any] = {}
    codes: list[CodeType] = []
    for text in texts:
        exec(text, made)  # noqa: S102 - the texts are those below
        codes.append(made["f"].__code__)
    return tuple(codes)


_CLASS_TESTS: Final = tuple(
    _codes(
        f"def f({arguments}): return isinstance(value, Class)",
        f"def f({arguments}): return isinstance(value, module.Class)",
    )
    for arguments in ("value, info", "cls, value, info")
)
"""By the index of the value among the arguments."""

_NAMINGS: Final = tuple(
    _codes(f"def f({arguments}): return type(value).__name__")
    for arguments in ("value, info", "cls, value, info")
)
