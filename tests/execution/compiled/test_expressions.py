"""Which resolvers are one expression of their object."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from app.execution.compiled.expressions import expression_of


def joined(first: str, second: str = "!") -> str:
    return first + second


def itself(thing: Any) -> Any:
    """Has a docstring."""
    return thing


def attribute(thing: Any) -> Any:
    return thing.inner.text


def call(thing: Any) -> Any:
    return joined(thing.text, thing.inner.text)


def call_and_attribute(thing: Any) -> Any:
    return itself(thing).text


def built_in(thing: Any) -> Any:
    return len(thing.text)


def method(thing: Any) -> Any:
    return thing.text.upper()


def with_a_constant(thing: Any) -> Any:
    return joined(thing.text, "?")


def by_name(thing: Any) -> Any:
    return joined(thing.text, second=thing.text)


def two_calls(thing: Any) -> Any:
    return joined(itself(thing.text), thing.text)


def called_result(thing: Any) -> Any:
    return itself(thing)()


def a_function(thing: Any) -> Any:
    return itself(joined)


def two_steps(thing: Any) -> Any:
    inner = thing.inner
    return inner.text


def either(thing: Any) -> Any:
    return thing.text or thing.inner


def a_global(_thing: Any) -> Any:
    return joined


def unknown(thing: Any) -> Any:
    return not_there(thing)  # type: ignore[name-defined]  # noqa: F821


def two_arguments(thing: Any, _other: Any) -> Any:
    return thing


def with_a_default(thing: Any = None) -> Any:
    return thing


def all_arguments(*things: Any) -> Any:
    return things


async def later(thing: Any) -> Any:
    return thing


def generated(thing: Any) -> Any:
    yield thing


def closed(inner: Any) -> Callable[[Any], Any]:
    return lambda thing: inner


@pytest.mark.parametrize(
    ("resolver", "template"),
    [
        (itself, "{s}"),
        (attribute, "{s}.inner.text"),
        (call, "{g}['joined']({s}.text, {s}.inner.text)"),
        (call_and_attribute, "{g}['itself']({s}).text"),
    ],
)
def test_an_expression_is_read_and_means_what_the_resolver_does(
    resolver: Callable[[Any], Any], template: str
) -> None:
    expression = expression_of(resolver)
    assert expression is not None
    assert expression.template == template
    thing = SimpleNamespace(text="a", inner=SimpleNamespace(text="b"))
    answer = eval(expression.of("x", "g"), {"x": thing, "g": expression.globals})  # noqa: S307
    assert answer == resolver(thing)


@pytest.mark.parametrize(
    "resolver",
    [
        *(built_in, method, with_a_constant, by_name, two_calls, called_result, a_function),
        *(two_steps, either, a_global, unknown, two_arguments, with_a_default, all_arguments),
        *(later, generated, closed(1), str.upper, SimpleNamespace),
    ],
)
def test_whatever_is_more_than_that_is_called(resolver: Callable[..., Any]) -> None:
    assert expression_of(resolver) is None


def test_a_function_that_is_replaced_is_the_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    expression = expression_of(call)
    assert expression is not None
    monkeypatch.setitem(globals(), "joined", lambda *texts: texts)
    thing = SimpleNamespace(text="a", inner=SimpleNamespace(text="b"))
    answer = eval(expression.of("x", "g"), {"x": thing, "g": expression.globals})  # noqa: S307
    assert answer == ("a", "b")
