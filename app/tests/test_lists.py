"""The cached list is never older than its owner's last write: also in the races that could make it so."""

import asyncio
import threading
import uuid
from collections.abc import Awaitable, Callable

import httpx
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from slipway_app import redis
from slipway_app.accounts import UserId
from slipway_app.lists import Lists
from slipway_app.presets import CachePreset
from tests.conftest import RedisServer, sign_up

OWNER = UserId(1)


def with_lists(server: RedisServer, work: Callable[[Lists, Redis], Awaitable[None]]) -> None:
    """Run this on an empty cache."""

    async def run() -> None:
        cache = redis.create_client(SecretStr(server.url), connections=5)
        try:
            async for key in cache.scan_iter("slipway:conversations:*"):
                await cache.delete(key)
            await work(Lists(cache, CachePreset.DEVELOPMENT), cache)
        finally:
            await cache.aclose()

    asyncio.run(run())


def test_a_list_is_read_from_postgres_once_and_then_from_the_cache(user: httpx.Client) -> None:
    user.post("/conversations", json={"title": "one"})
    first, second = (user.get("/conversations") for _ in range(2))
    assert (first.headers["X-Cache"], second.headers["X-Cache"]) == ("miss", "hit")
    assert first.json() == second.json()


@pytest.mark.parametrize("write", ["create", "rename", "delete", "message"])
def test_each_kind_of_write_is_seen_by_the_next_read(user: httpx.Client, write: str) -> None:
    path = f"/conversations/{user.post('/conversations', json={'title': 'one'}).json()['id']}"
    user.get("/conversations")
    before = user.get("/conversations")
    assert before.headers["X-Cache"] == "hit"
    {
        "create": lambda: user.post("/conversations", json={"title": "two"}),
        "rename": lambda: user.patch(path, json={"title": "two"}),
        "delete": lambda: user.delete(path),
        "message": lambda: user.post(f"{path}/messages", json={"text": "hello"}),
    }[write]()
    after = user.get("/conversations")
    assert after.headers["X-Cache"] == "miss"
    assert after.json() != before.json()


def test_a_read_after_a_write_is_never_stale_while_others_read_at_the_same_time(api: httpx.Client) -> None:
    stop = threading.Event()
    with sign_up(api) as user:

        def read() -> None:
            with httpx.Client(base_url=api.base_url, headers=user.headers, timeout=15) as reader:
                while not stop.is_set():
                    assert reader.get("/conversations").status_code == 200

        readers = [threading.Thread(target=read) for _ in range(4)]
        for reader in readers:
            reader.start()
        try:
            created = user.post("/conversations", json={"title": "0"}).json()["id"]
            for _ in range(60):
                title = uuid.uuid4().hex
                user.patch(f"/conversations/{created}", json={"title": title})
                seen = user.get("/conversations").json()["conversations"][0]["title"]
                assert seen == title
        finally:
            stop.set()
            for reader in readers:
                reader.join()


def test_a_reader_that_was_overtaken_by_a_write_does_not_fill_the_cache(redis_server: RedisServer) -> None:
    async def work(lists: Lists, _cache: Redis) -> None:
        slow = await lists.look(OWNER)
        assert slow.version is not None
        async with lists.writing(OWNER):
            pass
        await lists.fill(OWNER, slow.version, "[stale]")
        fresh = await lists.look(OWNER)
        assert fresh.list is None
        assert fresh.version != slow.version
        await lists.fill(OWNER, fresh.version, "[fresh]")
        assert (await lists.look(OWNER)).list == "[fresh]"

    with_lists(redis_server, work)


def test_a_reader_that_begins_and_ends_within_a_write_does_not_fill_the_cache(
    redis_server: RedisServer,
) -> None:
    async def work(lists: Lists, _cache: Redis) -> None:
        async with lists.writing(OWNER):
            found = await lists.look(OWNER)
            await lists.fill(OWNER, found.version, "[from before the commit]")
            assert (await lists.look(OWNER)).list is None
        assert (await lists.look(OWNER)).list is None

    with_lists(redis_server, work)


def test_a_process_that_dies_after_the_commit_leaves_no_stale_list(redis_server: RedisServer) -> None:
    async def work(lists: Lists, _cache: Redis) -> None:
        found = await lists.look(OWNER)
        await lists.fill(OWNER, found.version, "[before the write]")
        dying = lists.writing(OWNER)
        await dying.__aenter__()  # and never comes back
        assert (await lists.look(OWNER)).list is None

    with_lists(redis_server, work)


def test_an_entry_that_was_evicted_is_not_filled_by_who_read_before(redis_server: RedisServer) -> None:
    async def work(lists: Lists, cache: Redis) -> None:
        slow = await lists.look(OWNER)
        await cache.delete(f"slipway:conversations:{OWNER}")
        await lists.fill(OWNER, slow.version, "[stale]")
        assert (await lists.look(OWNER)).list is None

    with_lists(redis_server, work)


def test_every_key_of_the_cache_ends_by_itself(redis_server: RedisServer) -> None:
    async def work(lists: Lists, cache: Redis) -> None:
        found = await lists.look(OWNER)
        await lists.fill(OWNER, found.version, "[]")
        dying = lists.writing(UserId(2))
        await dying.__aenter__()
        keys = [key async for key in cache.scan_iter("slipway:conversations:*")]
        assert len(keys) == 2
        for key in keys:
            assert 0 < await cache.ttl(key) <= CachePreset.DEVELOPMENT.figures.ttl_seconds

    with_lists(redis_server, work)


def test_a_disabled_cache_keeps_nothing(redis_server: RedisServer) -> None:
    async def work(_lists: Lists, cache: Redis) -> None:
        lists = Lists(cache, CachePreset.DISABLED)
        found = await lists.look(OWNER)
        async with lists.writing(OWNER):
            pass
        await lists.fill(OWNER, found.version, "[]")
        assert found == (None, None)
        assert [key async for key in cache.scan_iter("slipway:conversations:*")] == []

    with_lists(redis_server, work)
