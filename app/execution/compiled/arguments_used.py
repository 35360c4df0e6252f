"""Whether a function looks at one of its arguments, read from its bytecode."""

from __future__ import annotations

import dis
from collections.abc import Callable
from functools import lru_cache
from inspect import CO_VARARGS
from types import CodeType, FunctionType, MethodType
from typing import Any

_REFLECTION = frozenset({"locals", "vars", "eval", "exec", "dir", "_getframe", "currentframe"})
"""Names by which a function can get at its variables without naming them."""


def ignores_argument(function: Callable[..., Any], index: int) -> bool:
    """Tells whether a call's positional argument certainly changes nothing.

    True only for a Python function, or a method of one, whose code never loads the variable that
    the argument arrives in. Type predicates are mostly like that, and need no info built for them.
    """
    if isinstance(function, MethodType):
        function, index = function.__func__, index + 1
    if not isinstance(function, FunctionType) or hasattr(function, "__wrapped__"):
        return False
    return _never_loads(function.__code__, index)


@lru_cache(maxsize=1_000)
def _never_loads(code: CodeType, index: int) -> bool:
    if index < code.co_argcount:
        name = code.co_varnames[index]
    elif code.co_flags & CO_VARARGS:
        name = code.co_varnames[code.co_argcount + code.co_kwonlyargcount]
    else:
        return False
    if name in code.co_cellvars or not _REFLECTION.isdisjoint(code.co_names):
        return False
    return not any(
        name == instruction.argval
        or (isinstance(instruction.argval, tuple) and name in instruction.argval)
        for instruction in dis.get_instructions(code)
    )
