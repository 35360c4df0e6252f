"""Which predicates a value's class decides."""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import Any

import pytest

from app.execution.compiled import kinds
from app.execution.compiled.class_tests import class_tested_for, names_class


class Known:
    """A class to be tested for."""


class Methods:
    """Predicates and resolvers as a schema's author writes them."""

    @classmethod
    def of_class(cls, value: object, _info: Any) -> bool:
        """Has a docstring."""
        return isinstance(value, Known)

    @classmethod
    def of_module(cls, value: object, info: Any) -> bool:
        return isinstance(value, kinds.Kinds)

    @staticmethod
    def static(value: object, info: Any) -> bool:
        return isinstance(value, Known)

    @classmethod
    def named(cls, value: object, *_: Any) -> str:
        return type(value).__name__

    @staticmethod
    def named_statically(value: object, info: Any) -> str:
        return type(value).__name__

    @classmethod
    def of_info(cls, value: object, info: Any) -> bool:
        return isinstance(info, Known)

    @classmethod
    def negated(cls, value: object, info: Any) -> bool:
        return not isinstance(value, Known)

    @classmethod
    def of_either(cls, value: object, info: Any) -> bool:
        return isinstance(value, (Known, int))

    @classmethod
    def of_abstract(cls, value: object, info: Any) -> bool:
        return isinstance(value, Sized)

    @classmethod
    def of_nothing(cls, value: object, info: Any) -> bool:
        return isinstance(value, Unknown)  # type: ignore[name-defined]  # noqa: F821

    @classmethod
    def of_attribute(cls, value: object, info: Any) -> bool:
        return isinstance(value, Known.inner)  # type: ignore[attr-defined]

    @classmethod
    async def later(cls, value: object, info: Any) -> bool:
        return isinstance(value, Known)

    @classmethod
    def named_by_info(cls, value: object, info: Any) -> str:
        return type(info).__name__

    @classmethod
    def qualified(cls, value: object, info: Any) -> str:
        return type(value).__qualname__


def closed(class_: type) -> Callable[..., bool]:
    return lambda value, info: isinstance(value, class_)


@pytest.mark.parametrize(
    ("predicate", "class_"),
    [
        (Methods.of_class, Known),
        (Methods.of_module, kinds.Kinds),
        (Methods.static, Known),
        (lambda value, info: isinstance(value, Known), Known),
        (Methods.of_info, None),
        (Methods.negated, None),
        (Methods.of_either, None),
        (Methods.of_abstract, None),
        (Methods.of_nothing, None),
        (Methods.of_attribute, None),
        (Methods.later, None),
        (closed(Known), None),
        (isinstance, None),
    ],
)
def test_a_test_for_one_class_is_recognized(predicate: Any, class_: type | None) -> None:
    assert class_tested_for(predicate) is class_


def test_a_predicate_that_means_another_isinstance_is_not_taken_for_a_test() -> None:
    names: dict[str, Any] = {"isinstance": lambda *_: True, "Known": Known}
    exec("def predicate(value, info): return isinstance(value, Known)", names)  # noqa: S102
    assert class_tested_for(names["predicate"]) is None


@pytest.mark.parametrize(
    ("resolver", "names"),
    [
        (Methods.named, True),
        (Methods.named_statically, True),
        (Methods.named_by_info, False),
        (Methods.qualified, False),
        (Methods.of_class, False),
        (str, False),
    ],
)
def test_a_resolver_that_names_the_class_is_recognized(resolver: Any, names: bool) -> None:
    assert names_class(resolver) is names
