"""The stream of signals, in a real Redis with the rights of a stack's user."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from slipway_app import queue, redis
from slipway_app.queue import GROUP, STREAM
from tests.conftest import RedisServer

type Scenario = Callable[[Redis], Awaitable[None]]


@pytest.fixture
def play(redis_server: RedisServer) -> Callable[[Scenario], None]:
    """Run a scenario on an empty queue."""

    async def with_client(scenario: Scenario) -> None:
        url = SecretStr(redis_server.url.removesuffix("/0") + "/2")
        client = redis.create_client(url, connections=4, timeout_seconds=1.5)
        try:
            await client.delete(STREAM)
            await scenario(client)
        finally:
            await client.aclose()

    return lambda scenario: asyncio.run(with_client(scenario))


async def announced(client: Redis, count: int) -> list[UUID]:
    jobs = [uuid4() for _ in range(count)]
    for job in jobs:
        await queue.announce(client, job)
    return jobs


async def taken(client: Redis, consumer: str, count: int = 10) -> list[UUID]:
    return [signal.job_id for signal in await queue.take(client, consumer, count, wait_ms=1)]


def test_each_signal_is_taken_by_one_worker_in_the_order_of_announcement(
    play: Callable[[Scenario], None],
) -> None:
    async def scenario(client: Redis) -> None:
        jobs = await announced(client, 5)  # before any worker has made the group
        first, second, third = [await taken(client, name, 2) for name in ("a", "b", "a")]
        assert first + second + third == jobs
        assert await taken(client, "b") == []

    play(scenario)


def test_an_acknowledged_signal_leaves_the_group_and_the_stream(play: Callable[[Scenario], None]) -> None:
    async def scenario(client: Redis) -> None:
        await announced(client, 2)
        first, _second = await queue.take(client, "a", 2, wait_ms=1)
        await queue.acknowledge(client, first.entry_id)
        assert await client.xlen(STREAM) == 1
        assert (await client.xpending(STREAM, GROUP))["pending"] == 1

    play(scenario)


def test_signals_of_a_silent_worker_are_taken_over_and_those_of_a_living_one_are_not(
    play: Callable[[Scenario], None],
) -> None:
    async def scenario(client: Redis) -> None:
        await announced(client, 2)
        silent, living = [(await queue.take(client, name, 1, wait_ms=1))[0] for name in ("silent", "living")]
        await asyncio.sleep(0.1)
        await queue.keep(client, "living", [living.entry_id])
        assert await queue.take_abandoned(client, "other", 10, idle_ms=60_000) == []
        assert await queue.take_abandoned(client, "other", 10, idle_ms=80) == [silent]
        # From now on it is the other one's.
        assert await queue.take_abandoned(client, "third", 10, idle_ms=80) == []

    play(scenario)


def test_what_is_handed_back_is_taken_over_at_once(play: Callable[[Scenario], None]) -> None:
    async def scenario(client: Redis) -> None:
        await announced(client, 1)
        (signal,) = await queue.take(client, "a", 1, wait_ms=1)
        await queue.hand_back(client, "a", [signal.entry_id])
        assert await queue.take_abandoned(client, "b", 10, idle_ms=60_000) == [signal]

    play(scenario)


def test_a_sign_of_life_does_not_bring_back_what_was_acknowledged(play: Callable[[Scenario], None]) -> None:
    async def scenario(client: Redis) -> None:
        await announced(client, 1)
        (signal,) = await queue.take(client, "a", 1, wait_ms=1)
        await queue.acknowledge(client, signal.entry_id)
        await queue.keep(client, "a", [signal.entry_id])
        assert (await client.xpending(STREAM, GROUP))["pending"] == 0

    play(scenario)


def test_everything_goes_on_after_redis_lost_its_data(play: Callable[[Scenario], None]) -> None:
    async def scenario(client: Redis) -> None:
        await announced(client, 1)
        (lost,) = await queue.take(client, "a", 1, wait_ms=1)
        for call in (
            lambda: queue.keep(client, "a", [lost.entry_id]),
            lambda: queue.hand_back(client, "a", [lost.entry_id]),
            lambda: queue.acknowledge(client, lost.entry_id),
            lambda: queue.take_abandoned(client, "a", 10, idle_ms=0),
            lambda: queue.forget_consumer(client, "a"),
            lambda: queue.forget_gone_consumers(client),
            lambda: queue.backlog(client),
            lambda: queue.take(client, "a", 10, wait_ms=1),
        ):
            await client.delete(STREAM)
            await call()
        await client.delete(STREAM)
        jobs = await announced(client, 1)
        assert await taken(client, "a") == jobs

    play(scenario)


def test_a_stream_that_no_worker_reads_is_trimmed(
    play: Callable[[Scenario], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "MAX_LENGTH", 100)

    async def scenario(client: Redis) -> None:
        jobs = await announced(client, 500)
        # Approximate trimming keeps whole nodes of the stream, of 100 entries each.
        assert 100 <= await client.xlen(STREAM) <= 200
        assert (await taken(client, "a", 500))[-1] == jobs[-1]

    play(scenario)


def test_an_entry_that_is_none_of_ours_is_dropped(play: Callable[[Scenario], None]) -> None:
    async def scenario(client: Redis) -> None:
        await client.xadd(STREAM, {"job": "no uuid"})
        await client.xadd(STREAM, {"other": "field"})
        jobs = await announced(client, 1)
        assert await taken(client, "a") == jobs
        assert await client.xlen(STREAM) == 1

    play(scenario)


def test_the_backlog_has_its_length_and_the_age_of_its_oldest_entry(play: Callable[[Scenario], None]) -> None:
    async def scenario(client: Redis) -> None:
        assert await queue.backlog(client) == (0, 0.0)
        thirty_seconds_ago = int((time.time() - 30) * 1000)
        await client.xadd(STREAM, {"job": str(uuid4())}, id=f"{thirty_seconds_ago}-0")
        await announced(client, 2)
        length, age = await queue.backlog(client)
        assert length == 3
        assert age >= 29

    play(scenario)


def test_a_workers_name_is_forgotten_unless_it_holds_signals(play: Callable[[Scenario], None]) -> None:
    async def scenario(client: Redis) -> None:
        await announced(client, 1)
        await taken(client, "holds")
        await taken(client, "free")
        for name in ("holds", "free", "unknown"):
            await queue.forget_consumer(client, name)
        await queue.forget_gone_consumers(client)  # neither silent for an hour
        assert [found["name"] for found in await client.xinfo_consumers(STREAM, GROUP)] == ["holds"]

    play(scenario)
