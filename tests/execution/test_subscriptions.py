from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncGenerator

import pytest

from app.execution.document import Prepared
from app.execution.limits import QueryLimits
from app.execution.operation import Request, Response
from app.execution.running import Run
from app.execution.stream import ResponseStream
from tests.execution.library import SECRET, Desk, Library, open_library

pytestmark = pytest.mark.usefixtures("both_ways", "nothing_left")


async def opened(library: Library, query: str, desk: Desk) -> AsyncGenerator[Response]:
    """Returns the stream of a subscription that counts its renewals on the desk."""

    def renew() -> None:
        desk.renewals += 1

    stream = await library.subscribe(query, desk, renew)
    assert not isinstance(stream, Response), stream
    return stream


async def test_each_event_is_a_response_and_the_stream_ends_with_its_source(
    library: Library,
) -> None:
    desk = Desk()
    stream = await opened(library, "subscription { count(to: 3) }", desk)
    assert [response.formatted() async for response in stream] == [
        {"data": {"count": n}, "extensions": {"cost": {"nodes": 0, "limit": 10_000}}}
        for n in range(3)
    ]
    assert desk.closed == ["count"]
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_loaders_are_renewed_before_each_event_is_executed(library: Library) -> None:
    desk = Desk()
    stream = await opened(library, "subscription { count(to: 3) }", desk)
    assert desk.renewals == 0
    for expected in (1, 2, 3):
        await anext(stream)
        assert desk.renewals == expected
    await stream.aclose()
    assert desk.renewals == 3


async def test_closing_the_stream_closes_its_source(library: Library) -> None:
    desk = Desk()
    stream = await opened(library, "subscription { count(to: 3) }", desk)
    await anext(stream)
    await stream.aclose()
    await stream.aclose()
    assert desk.closed == ["count"]
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_a_stream_that_is_closed_before_its_first_event_closes_its_source() -> None:
    class Source:
        closed = False

        def __aiter__(self) -> Source:
            return self

        async def __anext__(self) -> int:
            raise AssertionError("nobody asked for an event")

        async def aclose(self) -> None:
            self.closed = True

    source = Source()

    async def respond(_event: object) -> Response:
        raise AssertionError("there was no event")

    stream = ResponseStream(
        source,
        respond=respond,
        respond_to_failure=lambda _: Response(executed=True),
        report_failure=lambda _: None,
    )
    await stream.aclose()
    assert source.closed


async def test_cancelling_the_reader_reaches_the_source(library: Library) -> None:
    desk = Desk()
    stream = await opened(library, "subscription { arrivals(count: 0) { id } }", desk)
    reading = asyncio.ensure_future(anext(stream))
    await desk.waiting.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await stream.aclose()
    assert (desk.cancelled, desk.closed) == (["arrivals"], ["arrivals"])


async def test_an_exception_in_the_source_ends_the_stream_with_one_last_error(
    library: Library,
) -> None:
    desk = Desk()
    stream = await opened(library, "subscription { count(to: 1, failAfter: true) }", desk)
    responses = [response.formatted() async for response in stream]
    assert [response["data"] for response in responses] == [{"count": 0}, None]
    assert responses[1]["errors"] == [
        {
            "message": "Internal error",
            "locations": [{"line": 1, "column": 16}],
            "extensions": {"code": "INTERNAL_ERROR"},
        }
    ]
    assert SECRET not in json.dumps(responses)
    assert len(library.reports) == 1
    assert desk.closed == ["count"]


async def test_a_source_that_awaits_what_was_cancelled_ends_with_an_error(
    library: Library,
) -> None:
    stream = await opened(library, "subscription { abandoned }", Desk())
    (response,) = [response async for response in stream]
    assert response.errors[0]["extensions"] == {"code": "INTERNAL_ERROR"}
    assert len(library.reports) == 1


async def test_a_source_refused_for_a_reason_that_clients_may_see_says_so(
    library: Library,
) -> None:
    stream = await opened(library, "subscription { refused }", Desk())
    (response,) = [response async for response in stream]
    assert response.errors[0]["message"] == "No copies left"
    assert response.errors[0]["extensions"] == {"copies": 0, "code": "OUT_OF_STOCK"}
    assert library.reports == []


async def test_a_field_that_fails_in_one_event_leaves_the_stream_open(library: Library) -> None:
    stream = await opened(library, "subscription { arrivals(count: 2) { id failing } }", Desk())
    for _ in range(2):
        response = await anext(stream)
        assert response.data is None
        assert response.errors[0]["path"] == ["arrivals", "failing"]
    await stream.aclose()
    assert len(library.reports) == 2


async def test_an_event_that_takes_too_long_is_stopped_and_the_stream_goes_on() -> None:
    library, desk = open_library(QueryLimits(timeout_seconds=0.02)), Desk()
    query = 'subscription { arrivals(count: 2) { slow(name: "x") } }'
    stream = await opened(library, query, desk)
    for _ in range(2):
        response = await anext(stream)
        assert response.errors[0]["extensions"] == {"code": "OPERATION_TIMEOUT"}
    await stream.aclose()
    assert desk.cancelled == ["x", "x"]


async def test_the_wait_for_an_event_has_no_time_limit() -> None:
    library, desk = open_library(QueryLimits(timeout_seconds=0.001)), Desk()
    stream = await opened(library, "subscription { arrivals(count: 0) { id } }", desk)
    reading = asyncio.ensure_future(anext(stream))
    await desk.waiting.wait()
    done, _ = await asyncio.wait({reading}, timeout=0.05)
    assert done == set()
    desk.release.set()
    with pytest.raises(StopAsyncIteration):
        await reading


async def test_a_subscription_with_wrong_variables_or_too_high_a_cost_does_not_start() -> None:
    library, desk = open_library(QueryLimits(nodes=1)), Desk()
    wrong = Request("subscription ($to: Int!) { count(to: $to) }", {"to": "x"})
    costly = Request("subscription { arrivals { author { id } } }")
    for request, code in ((wrong, "BAD_USER_INPUT"), (costly, "QUERY_TOO_COSTLY")):
        prepared = library.executor.prepare(request)
        assert isinstance(prepared, Prepared)
        response = await library.executor.subscribe(prepared, request, desk, renew=lambda: None)
        assert isinstance(response, Response)
        assert response.executed is False
        assert response.errors[0]["extensions"]["code"] == code
    assert desk.closed == []


async def test_a_long_stream_keeps_nothing_of_its_past_events(library: Library) -> None:
    """graphql-core's own events share a memo that grows with each of them."""
    desk = Desk()
    stream = await opened(library, "subscription { arrivals(count: 50) { author { id } } }", desk)
    for _ in range(50):
        await anext(stream)
    gc.collect()
    runs = [
        found
        for found in gc.get_objects()
        if isinstance(found, Run) and found.context_value is desk
    ]
    assert len(runs) <= 2
    assert all(len(run._relevant_sub_fields) <= 2 for run in runs)
    await stream.aclose()
