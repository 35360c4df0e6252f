"""Resolvers that wait run without a task of their own, and notice nothing of it."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from app.execution.compiled.job import Job, Spot
from app.execution.compiled.run import CompiledRun
from app.execution.limits import QueryLimits
from app.execution.running import Run
from tests.execution.compiled.waiting_schema import NAME, World, run

pytestmark = pytest.mark.usefixtures("nothing_left")

OF_A_RUN = (CompiledRun, Job, Run, Spot)


async def test_all_loads_of_a_level_are_one_batch_and_no_task_is_made_for_them() -> None:
    world = World()
    response = await run("{ items { loaded shared } }", world)
    assert response.data == {
        "items": [{"loaded": number * 10, "shared": 10} for number in (1, 2, 3)]
    }
    assert world.asked == [[1, 2, 3]]
    assert [type(task) for task in world.tasks] == [Job, Job, Job]
    assert len(set(map(id, world.tasks))) == 3


@pytest.mark.parametrize(
    ("fields", "item"),
    [
        ("shared", {"shared": 10}),
        ("operation", {"operation": "query"}),
        ("shared refused", {"shared": 10, "refused": None}),
    ],
)
async def test_a_run_is_freed_when_it_ends_and_needs_no_garbage_collection(
    fields: str, item: dict[str, Any]
) -> None:
    gc.collect()
    gc.disable()
    try:
        response = await run(f'{{ items {{ {fields} }} named(name: "a") }}')
        assert [type(left) for left in gc.get_objects() if isinstance(left, OF_A_RUN)] == []
    finally:
        gc.enable()
    assert response.data["items"] == [item] * 3


async def test_context_variables_are_each_resolvers_own() -> None:
    response = await run('{ a: named(name: "a") b: named(name: "b") }')
    assert response.data == {"a": "a", "b": "b"}
    assert NAME.get() == "nobody"


@pytest.mark.parametrize("loaded", ["found", "foundLate"])
async def test_what_is_below_a_load_sees_the_context_variables_of_the_resolver_above(
    loaded: str,
) -> None:
    below = f"{{ {loaded} {{ named {loaded} {{ named }} }} }}"
    response = await run(f'{{ a: names(name: "a") {below} b: names(name: "b") {below} }}')
    assert response.data == {
        name: {loaded: {"named": name, loaded: {"named": name}}} for name in "ab"
    }


async def test_a_context_variable_set_below_a_load_stays_there() -> None:
    response = await run(
        "{ items { found { sets found { named } } foundLate { named found { named } } named } }"
    )
    first = response.data["items"][0]
    assert first["found"]["sets"] == "item 11"
    assert first["found"]["found"]["named"] != "nobody"
    assert first["foundLate"] == {"named": "nobody", "found": {"named": "nobody"}}
    assert NAME.get() == "nobody"


@pytest.mark.parametrize("again", range(5))
@pytest.mark.parametrize("turns", range(1, 10))
async def test_a_run_cancelled_twice_leaves_no_error_unread(turns: int, again: int) -> None:
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
    text = "{ items { found { failing found { failing } } foundLate { failing } failing } }"
    running = asyncio.create_task(run(text))
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    for _ in range(again):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    del running
    for _ in range(10):
        await asyncio.sleep(0)
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


async def test_a_run_that_is_cancelled_is_freed_without_garbage_collection() -> None:
    gc.collect()
    gc.disable()
    try:
        world = World()
        world.gate.clear()
        running = asyncio.create_task(run("{ items { batched relayed } }", world))
        await world.begun.wait()
        running.cancel()
        await asyncio.wait([running])
        del running
        await asyncio.sleep(0)
        assert [type(left) for left in gc.get_objects() if isinstance(left, OF_A_RUN)] == []
    finally:
        gc.enable()


async def test_a_timeout_inside_a_resolver_stops_that_resolver_alone() -> None:
    response = await run('{ timedOut other: timedOut named(name: "x") }')
    assert response.data == {"timedOut": "in time", "other": "in time", "named": "x"}
    assert response.errors == []


async def test_a_task_group_inside_a_resolver_works_and_fails_as_in_a_task() -> None:
    response = await run("{ grouped failing: grouped(fail: true) other: grouped }")
    assert response.data == {"grouped": "ab", "failing": "failed: b", "other": "ab"}


async def test_what_siblings_of_a_failed_field_wait_for_reaches_the_others() -> None:
    """graphql-core cancels the loader's future, and the other items with it."""
    world = World()
    response = await run("{ items { shared failsOnTwo } }", world)
    assert response.data == {
        "items": [
            {"shared": 10, "failsOnTwo": 1},
            None,
            {"shared": 10, "failsOnTwo": 3},
        ]
    }
    assert [error["path"] for error in response.errors] == [["items", 1, "failsOnTwo"]]
    assert world.asked == [[1]]


async def test_the_futures_of_a_batch_are_each_fields_own() -> None:
    world = World()
    response = await run("{ items { batched } }", world)
    assert response.data == {"items": [{"batched": 10}, {"batched": None}, {"batched": None}]}
    assert [(error["message"], error["path"]) for error in response.errors] == [
        ("two", ["items", 1, "batched"])
    ]
    assert world.asked == [[1, 2, 3]]


async def test_null_of_a_batch_reaches_the_nearest_place_that_may_be_null() -> None:
    world = World()
    response = await run("{ items { batchedSurely batched } }", world)
    assert response.data == {"items": [{"batchedSurely": 10, "batched": 10}, None, None]}
    paths = [error["path"] for error in response.errors]
    assert ["items", 1, "batchedSurely"] in paths
    assert ["items", 2, "batchedSurely"] in paths


async def test_fields_of_a_batch_that_nobody_needs_any_more_are_not_waited_for() -> None:
    world = World()
    world.gate.clear()
    response = await run("{ items { failsAtOnce batched } }", world)
    assert response.data == {"items": [None, None, None]}
    assert [error["path"] for error in response.errors] == [
        ["items", index, "failsAtOnce"] for index in range(3)
    ]
    assert world.loading is None or world.loading.cancelled()


async def test_a_batch_that_begins_while_another_is_waited_for_is_waited_for_too() -> None:
    world = World()
    response = await run("{ items { batched next { batched } shared } }", world)
    assert [item and item["next"] for item in response.data["items"]] == [
        {"batched": None},
        {"batched": None},
        {"batched": 40},
    ]
    assert sorted(map(sorted, world.asked)) == [[1], [1, 2, 3, 4]]


@pytest.mark.parametrize(
    "fields", ["batched found { found { number } }", "found { found { number } } batched"]
)
async def test_what_is_below_one_batch_does_not_wait_for_another(fields: str) -> None:
    world = World()
    world.gate.clear()
    running = asyncio.create_task(run(f"{{ items {{ {fields} }} }}", world))
    async with asyncio.timeout(20):
        await world.found_twice.wait()
        world.gate.set()
        response = await running
    assert world.found == [[1, 2, 3], [11, 12, 13]]
    assert [item["found"]["found"]["number"] for item in response.data["items"]] == [21, 22, 23]


async def test_what_a_loader_asks_another_for_joins_the_batch_of_its_level() -> None:
    world = World()
    await run("{ items { relayed batched } }", world)
    assert world.asked == [[1, 2, 3, 11, 12, 13]]


async def test_what_is_below_batches_that_end_a_turn_apart_is_one_batch() -> None:
    world = World()
    await run("{ items { found { batched } foundLate { batched } } }", world)
    assert world.asked == [[11, 12, 13, 21, 22, 23]]


@pytest.mark.parametrize("text", ["{ items { batched } }", "{ batched }"])
async def test_a_run_that_is_cancelled_leaves_others_their_keys_of_its_batch(text: str) -> None:
    world = World()
    world.gate.clear()
    running = asyncio.create_task(run(text, world))
    others = world.batches.load(9)
    await world.begun.wait()
    assert 9 in world.asked[0]
    assert 1 in world.asked[0]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    world.gate.set()
    async with asyncio.timeout(20):
        assert await others == 90


async def test_a_future_that_was_cancelled_fails_its_field_and_no_other() -> None:
    response = await run("{ items { givenUp shared } }", World())
    assert response.data == {"items": [{"givenUp": None, "shared": 10}] * 3}
    assert [error["path"] for error in response.errors] == [
        ["items", index, "givenUp"] for index in range(3)
    ]


async def test_the_time_limit_ends_the_wait_for_a_batch() -> None:
    world = World()
    world.gate.clear()
    response = await run("{ items { batched } }", world, QueryLimits(timeout_seconds=0.01))
    assert response.errors[0]["extensions"] == {"code": "OPERATION_TIMEOUT"}
    assert world.loading is not None
    assert world.loading.cancelled()


async def test_fields_of_a_batch_whose_loading_is_cancelled_fail_at_once() -> None:
    world = World()
    world.gate.clear()
    running = asyncio.create_task(
        run("{ items { batched } }", world, QueryLimits(timeout_seconds=60))
    )
    await world.begun.wait()
    assert world.loading is not None
    world.loading.cancel()
    async with asyncio.timeout(20):
        response = await running
    assert response.data == {"items": [{"batched": None}] * 3}
    assert [error["path"] for error in response.errors] == [
        ["items", index, "batched"] for index in range(3)
    ]


async def test_the_time_limit_stops_every_job_and_waits_for_its_end() -> None:
    world = World()
    text = "{ stays stubborn: stays(stubborn: true) }"
    response = await run(text, world, QueryLimits(timeout_seconds=0.01))
    assert response.errors[0]["extensions"] == {"code": "OPERATION_TIMEOUT"}
    assert sorted(world.ended) == ["stays", "stubborn"]


async def test_a_second_cancellation_does_not_break_off_what_tidies_up() -> None:
    world = World()
    task = asyncio.create_task(run("{ stays stubborn: stays(stubborn: true) }", world))
    await world.waiting.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(world.ended) == ["stays", "stubborn"]


async def test_a_run_leaves_nothing_to_the_garbage_collector() -> None:
    await run("{ items { loaded } }")
    gc.collect()
    assert [found for found in gc.get_objects() if isinstance(found, Job)] == []
