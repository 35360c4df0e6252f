"""Resolvers that are one expression of their object, told by their bytecode.

Many are: the attribute of another name, the object itself, or the call of one function on some
attributes. Written into the generated code, the expression saves a call for each object.
"""

from __future__ import annotations

import dis
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from keyword import iskeyword
from types import CodeType, FunctionType
from typing import Any

_SILENT = frozenset({"RESUME", "PRECALL", "CACHE", "NOP"})


@dataclass(frozen=True, slots=True)
class Expression:
    """What a resolver returns, as source: `{s}` is the object, `{g}` the resolver's globals."""

    template: str
    globals: dict[str, Any]

    def of(self, source: str, known: str) -> str:
        """Returns the source, given the names of the object and of the globals."""
        return self.template.replace("{s}", source).replace("{g}", known)


def expression_of(function: Callable[..., Any]) -> Expression | None:
    """Returns what a function of one argument returns, None where it is more than that.

    Attributes of the argument and calls of global functions on those are understood.
    """
    if not isinstance(function, FunctionType) or function.__closure__ or function.__defaults__:
        return None
    read = _read(function.__code__)
    if read is None:
        return None
    template, names = read
    # A name that is not among the globals is a built-in, and may be taken from there at any time.
    known: dict[str, Any] = function.__globals__
    return Expression(template, known) if names <= known.keys() else None


@lru_cache(maxsize=1_000)
def _read(code: CodeType) -> tuple[str, frozenset[str]] | None:
    """Returns the expression and the names of its globals, None for any other code."""
    if code.co_argcount != 1 or code.co_kwonlyargcount or code.co_flags & _MORE_THAN_PLAIN:
        return None
    stack: list[str] = []
    names: set[str] = set()
    for instruction in dis.get_instructions(code):
        match instruction.opname:
            case "LOAD_FAST" if instruction.arg == 0:
                stack.append("{s}")
            case "LOAD_ATTR" if stack and _is_plain(instruction.argval):
                stack.append(f"{stack.pop()}.{instruction.argval}")
            case "LOAD_GLOBAL" if not stack and "NULL" in instruction.argrepr:
                # Called below: a function that is an argument of another is left alone.
                names.add(instruction.argval)
                stack.append(f"{{g}}[{instruction.argval!r}]")
            case "CALL" if instruction.arg is not None and len(stack) == instruction.arg + 1:
                function, *given = stack
                if not function.endswith("]"):
                    return None
                stack = [f"{function}({', '.join(given)})"]
            case "RETURN_VALUE" if len(stack) == 1:
                return stack[0], frozenset(names)
            case name if name in _SILENT:
                continue
            case _:
                return None
    return None


_MORE_THAN_PLAIN = 0x04 | 0x08 | 0x20 | 0x80 | 0x200
"""Of a code's flags: `*args`, `**kwargs`, generators and coroutines."""


def _is_plain(name: object) -> bool:
    return isinstance(name, str) and name.isidentifier() and not iskeyword(name)
