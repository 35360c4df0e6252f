"""`/metrics`: counts of what was done, with labels that no client chooses."""

from __future__ import annotations

import re
import time

from aiohttp import ClientSession

from tests.server.socket_client import initialised
from tests.server.world import World

SAMPLE = re.compile(r'([a-z_]+)(?:\{([a-z]+)="([a-z0-9_]+)"\})? (-?[0-9.e+]+)')
"""A sample as these metrics have it; Prometheus' format allows more."""


async def scrape(http: ClientSession, url: str) -> dict[str, float]:
    """Returns the value of each sample by its name and label; every line must be in order."""
    async with http.get(url.replace("/graphql", "/metrics")) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        lines = (await response.text()).splitlines()
    samples: dict[str, float] = {}
    described: set[str] = set()
    for line in lines:
        if line.startswith("#"):
            word, name, rest = line.removeprefix("# ").split(" ", 2)
            assert word == "HELP" or rest == ("counter" if name.endswith("_total") else "gauge"), (
                line
            )
            described.add(name)
            continue
        matched = SAMPLE.fullmatch(line)
        assert matched is not None, line
        name, _, label, value = matched.groups()
        assert name in described
        samples[f"{name}:{label}" if label else name] = float(value)
    return samples


async def test_requests_are_counted_by_status_and_operations_by_kind(
    http: ClientSession, url: str
) -> None:
    for query in ("{ hello }", "{ hello }", "mutation { increment }", "{ nothing }"):
        async with http.post(url, json={"query": query}):
            pass
    async with http.post(url, data=b"{", headers={"Content-Type": "application/json"}):
        pass
    samples = await scrape(http, url)
    assert samples["scrollback_http_responses_total:200"] == 4
    assert samples["scrollback_http_responses_total:400"] == 1
    assert samples["scrollback_operations_total:query"] == 2
    assert samples["scrollback_operations_total:mutation"] == 1


async def test_what_ran_compiled_and_what_did_not_is_counted_with_the_reason(
    http: ClientSession, url: str
) -> None:
    for _ in range(3):
        async with http.post(url, json={"query": "{ hello }"}):
            pass
    samples = await scrape(http, url)
    assert samples["scrollback_plans_total"] == 1
    assert samples["scrollback_compiled_runs_total"] == 2
    assert samples["scrollback_fallback_runs_total:first_run"] == 1
    assert samples["scrollback_documents_total:miss"] == 1
    assert samples["scrollback_documents_total:hit"] == 2


async def test_what_is_open_now_is_counted_until_it_is_closed(
    http: ClientSession, url: str, world: World
) -> None:
    async with initialised(http, url) as client:
        await client.subscribe("s", "subscription { oneThenWait }")
        await client.data("s")
        samples = await scrape(http, url)
        assert samples["scrollback_connections:websocket"] == 1
        assert samples["scrollback_connections:event_stream"] == 0
        assert samples["scrollback_subscriptions"] == 1
        assert samples["scrollback_operations_total:subscription"] == 1
        await client.send(id="s", type="complete")
        await world.sources_closed.reach(1)
        assert (await scrape(http, url))["scrollback_subscriptions"] == 0
        headers = {"Accept": "text/event-stream"}
        stream = {"query": "subscription { oneThenWait }"}
        async with http.post(url, json=stream, headers=headers) as response:
            await response.content.readline()
            samples = await scrape(http, url)
            assert samples["scrollback_connections:event_stream"] == 1
            assert samples["scrollback_subscriptions"] == 1


async def test_the_process_tells_when_it_began_and_what_it_used(
    http: ClientSession, url: str
) -> None:
    samples = await scrape(http, url)
    assert 0 < samples["process_start_time_seconds"] <= time.time()
    assert samples["process_cpu_seconds_total"] > 0


async def test_names_that_are_not_served_and_pages_of_others_learn_nothing(
    http: ClientSession, url: str
) -> None:
    metrics = url.replace("/graphql", "/metrics")
    async with http.get(metrics, headers={"Host": "rebound.example"}) as response:
        assert response.status == 403
    async with http.get(metrics, headers={"Origin": "https://evil.example"}) as response:
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_nothing_that_a_client_sends_becomes_a_label(http: ClientSession, url: str) -> None:
    query = "query swordfish { hello }"
    async with http.post(url + "?swordfish=1", json={"query": query, "operationName": "swordfish"}):
        pass
    async with http.get(url.replace("/graphql", "/swordfish")):
        pass
    async with http.get(url.replace("/graphql", "/metrics")) as response:
        assert "swordfish" not in await response.text()
