"""Redis that may be away: what tolerate gives, and how often an ill server is asked."""

import asyncio
from collections.abc import Awaitable, Coroutine
from types import SimpleNamespace

import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr
from redis.exceptions import ConnectionError, ResponseError

from slipway_app import redis
from tests.conftest import RedisServer


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    # Not the module `time` itself: the event loop's timeouts need one that goes on.
    monkeypatch.setattr("slipway_app.redis.time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr("slipway_app.redis._ask_again_at", {})
    return now


class Server:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked, self.error = 0, None

    error: Exception | None

    async def answer(self) -> str:
        self.asked += 1
        if self.error:
            raise self.error
        return "answer"


def errors() -> float:
    return REGISTRY.get_sample_value("redis_errors_total") or 0.0


def tolerate(call: Awaitable[object], server: redis.Server = "cache") -> object:
    async def run() -> object:
        return await redis.tolerate(call, server)

    return asyncio.run(run())


def test_an_ill_server_is_asked_by_one_call_a_second(clock: list[float]) -> None:
    server, before = Server(), errors()
    server.error = ConnectionError("away")
    assert [tolerate(server.answer()) for _ in range(5)] == [None] * 5
    assert server.asked == 1
    assert errors() == before + 1
    clock[0] += redis.PAUSE_SECONDS
    assert [tolerate(server.answer()) for _ in range(5)] == [None] * 5
    assert server.asked == 2


def test_a_server_that_is_back_is_asked_by_all_again(clock: list[float]) -> None:
    server = Server()
    server.error = TimeoutError()
    assert tolerate(server.answer()) is None
    server.error = None
    assert tolerate(server.answer()) is None  # not asked yet
    clock[0] += redis.PAUSE_SECONDS
    assert [tolerate(server.answer()) for _ in range(3)] == ["answer"] * 3


def test_while_one_call_tries_whether_the_server_is_back_the_others_do_not_wait(clock: list[float]) -> None:
    ill = Server()
    ill.error = ConnectionError("away")
    tolerate(ill.answer())
    clock[0] += redis.PAUSE_SECONDS

    async def run() -> list[object]:
        trying, more = asyncio.Event(), asyncio.Event()

        async def slow() -> str:
            trying.set()
            await more.wait()
            return "answer"

        first = asyncio.create_task(redis.tolerate(slow()))
        await trying.wait()
        others = [await redis.tolerate(ill.answer()) for _ in range(3)]
        more.set()
        return [*others, await first]

    assert asyncio.run(run()) == [None, None, None, "answer"]
    assert ill.asked == 1


def test_the_queue_is_asked_while_the_cache_is_away() -> None:
    cache, queue = Server(), Server()
    cache.error = ConnectionError("away")
    assert tolerate(cache.answer(), "cache") is None
    assert tolerate(queue.answer(), "queue") == "answer"


def test_a_mistake_of_ours_is_counted_and_does_not_fail_the_request() -> None:
    server = Server()
    server.error = ResponseError("WRONGTYPE")
    assert tolerate(server.answer()) is None


def test_what_is_no_error_of_redis_is_raised() -> None:
    server = Server()
    server.error = ValueError("ours")
    with pytest.raises(ValueError, match="ours"):
        tolerate(server.answer())


def test_a_client_holds_no_more_connections_than_it_may(redis_server: RedisServer) -> None:
    async def run() -> int:
        watching = redis.create_client(SecretStr(redis_server.url), connections=1)
        client = redis.create_client(SecretStr(redis_server.url), connections=3)
        try:

            async def connections() -> int:
                return int((await watching.info("clients"))["connected_clients"])

            before = await connections()
            await asyncio.gather(*(client.exists(f"key-{number}") for number in range(100)))
            return await connections() - before
        finally:
            await client.aclose()
            await watching.aclose()

    assert 1 <= asyncio.run(run()) <= 3


def test_waiting_in_vain_for_a_connection_does_not_count_as_an_ill_server(
    redis_server: RedisServer,
) -> None:
    async def run() -> list[object]:
        client = redis.create_client(SecretStr(redis_server.url), connections=1, timeout_seconds=0.2)
        try:
            async with client.client():  # holds the only connection
                refused = await redis.tolerate(client.exists("key"))
            return [refused, await redis.tolerate(client.exists("key"))]
        finally:
            await client.aclose()

    assert asyncio.run(run()) == [None, 0]


def test_a_dropped_call_leaves_no_warning() -> None:
    ill, dropped = Server(), Server()
    ill.error = ConnectionError("away")
    tolerate(ill.answer())
    call = dropped.answer()
    assert isinstance(call, Coroutine)
    assert tolerate(call) is None
    assert dropped.asked == 0
    assert call.cr_frame is None  # closed: it would warn otherwise that it was never awaited
