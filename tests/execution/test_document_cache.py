from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.execution.document_cache import DocumentCache
from app.execution.limits import QueryLimits
from app.execution.operation import Request
from tests.execution.library import open_library


def small_cache() -> DocumentCache[int]:
    return DocumentCache(entries=10, characters=1_000, entry_characters=100)


def test_what_was_put_is_found_and_nothing_else() -> None:
    cache = small_cache()
    cache.put("a", 1)
    assert (cache.get("a"), cache.get("b")) == (1, None)


def test_a_flood_of_documents_used_once_leaves_those_in_use() -> None:
    cache = small_cache()
    for name in ("a", "b", "c"):
        cache.put(name, ord(name))
        cache.get(name)
    for number in range(1_000):
        cache.put(f"flood {number}", number)
    assert [cache.get(name) for name in ("a", "b", "c")] == [97, 98, 99]


def test_a_flood_of_long_documents_leaves_those_in_use() -> None:
    cache = small_cache()
    cache.put("a", 1)
    cache.get("a")
    for number in range(1_000):
        cache.put(f"{number:4}" + "x" * 96, number)
    assert cache.get("a") == 1
    assert cache.characters <= 1_000


def test_of_documents_in_use_the_least_recently_used_leaves() -> None:
    cache = small_cache()
    for name in "abcdefghi":
        cache.put(name, ord(name))
        cache.get(name)
        cache.get("a")
    assert cache.get("a") == 97
    # Eight are protected; the ninth drove the least recently used of them back on probation,
    # and two newcomers drive it out.
    cache.put("x", 0)
    cache.put("y", 0)
    assert cache.get("b") is None
    assert all(cache.get(name) is not None for name in "acdefghi")


def test_a_document_that_is_too_long_is_not_kept() -> None:
    cache = small_cache()
    cache.put("x" * 101, 1)
    assert cache.get("x" * 101) is None
    assert len(cache) == 0


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30), st.integers(1, 120))))
def test_the_bounds_hold_whatever_is_asked(asked: list[tuple[bool, int, int]]) -> None:
    cache = small_cache()
    for put, name, length in asked:
        source = f"{name:02}".ljust(length, "x")
        if cache.get(source) is None and put:
            cache.put(source, name)
        kept = [*cache._probation.values, *cache._protected.values]
        assert len(kept) == len(set(kept)) == len(cache) <= 10
        assert sum(map(len, kept)) == cache.characters <= 1_000


async def test_requests_are_answered_the_same_when_nothing_can_be_kept() -> None:
    library = open_library(QueryLimits(cached_document_characters=5))
    for _ in range(2):
        assert (await library.run("{ hello }"))["data"] == {"hello": "Hello, world!"}
    assert len(library.executor._documents) == 0


def test_different_documents_share_the_bounds_of_the_limits() -> None:
    library = open_library(QueryLimits(cached_documents=5))
    for number in range(50):
        library.executor.prepare(Request(f"query Q{number} {{ hello }}"))
    assert 0 < len(library.executor._documents) <= 5
