"""What is promised while PostgreSQL or Redis is away, and that the service recovers alone."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.conftest import PostgresServer, RedisServer, serving, sign_up, wait_until


@contextmanager
def away(server: PostgresServer | RedisServer) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


def slowest(client: httpx.Client, path: str, times: int, expected: int) -> float:
    """The longest time of so many requests one after the other, in seconds."""
    seconds = 0.0
    for _ in range(times):
        begin = time.monotonic()
        assert client.get(path).status_code == expected
        seconds = max(seconds, time.monotonic() - begin)
    return seconds


def test_without_redis_everything_is_served_and_readiness_says_degraded(
    api: httpx.Client, user: httpx.Client, redis_server: RedisServer
) -> None:
    assert api.get("/health/ready").json()["status"] == "ready"
    with away(redis_server):
        health = api.get("/health/ready")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        created = user.post("/conversations", json={"title": "no redis"})
        assert created.status_code == 201
        path = f"/conversations/{created.json()['id']}"
        assert user.post(f"{path}/messages", json={"text": "hello"}).json()["job"]["state"] == "queued"
        listed = user.get("/conversations")
        assert listed.headers["X-Cache"] == "miss"
        assert [item["title"] for item in listed.json()["conversations"]] == ["no redis"]
    wait_until(lambda: api.get("/health/ready").json()["status"] == "ready")
    wait_until(lambda: user.get("/conversations").headers["X-Cache"] == "hit")


def test_a_redis_that_hangs_is_asked_once_a_second_and_not_by_every_request(
    user: httpx.Client, redis_server: RedisServer
) -> None:
    assert redis_server.process is not None
    user.get("/conversations")
    redis_server.suspend()
    try:
        begin = time.monotonic()
        for _ in range(40):
            assert user.get("/conversations").status_code == 200
        elapsed = time.monotonic() - begin
    finally:
        redis_server.resume()
    # Were Redis asked for each, 40 requests would take at least 40 s: its timeout is a second.
    assert elapsed < 10
    wait_until(lambda: user.get("/conversations").headers["X-Cache"] == "hit")


def test_a_list_that_was_cached_before_an_outage_of_redis_is_not_served_after_a_write_in_it(
    user: httpx.Client, redis_server: RedisServer
) -> None:
    user.get("/conversations")
    assert user.get("/conversations").headers["X-Cache"] == "hit"
    redis_server.suspend()  # it keeps what it has, unlike one that is stopped
    try:
        assert user.post("/conversations", json={"title": "in the outage"}).status_code == 201
    finally:
        redis_server.resume()
    for _ in range(20):
        titles = [item["title"] for item in user.get("/conversations").json()["conversations"]]
        assert titles == ["in the outage"]
        time.sleep(0.1)
    wait_until(lambda: user.get("/conversations").headers["X-Cache"] == "hit")


def test_a_token_that_was_revoked_without_redis_stays_revoked_when_redis_is_back(
    api: httpx.Client, redis_server: RedisServer
) -> None:
    with sign_up(api) as user:
        assert user.get("/conversations").status_code == 200
        redis_server.suspend()
        try:
            assert user.delete("/tokens/current").status_code == 204
            assert user.get("/conversations").status_code == 401
        finally:
            redis_server.resume()
        for _ in range(20):
            assert user.get("/conversations").status_code == 401
            time.sleep(0.1)


def test_a_redis_that_lost_everything_is_told_of_revoked_tokens(
    api: httpx.Client, redis_server: RedisServer
) -> None:
    with sign_up(api) as user, sign_up(api) as other:
        assert user.delete("/tokens/current").status_code == 204
        with away(redis_server):
            pass
        assert user.get("/conversations").status_code == 401
        assert other.get("/conversations").status_code == 200


def test_without_postgres_the_process_lives_and_answers_503(
    user: httpx.Client, api: httpx.Client, postgres_server: PostgresServer
) -> None:
    created = user.post("/conversations", json={"title": "before"}).json()
    path = f"/conversations/{created['id']}"
    with away(postgres_server):
        assert user.get(path).status_code == 503
        assert api.get("/health/live").status_code == 200
        health = api.get("/health/ready")
        assert (health.status_code, health.json()["status"]) == (503, "unavailable")
        # A request waits half a second at most once it is known that the database refuses connections.
        assert slowest(user, path, times=4, expected=503) < 4
        answer = user.get(path)
        assert answer.headers["Retry-After"] == "1"
        assert "postgresql://" not in answer.text
    wait_until(lambda: user.get(path).status_code == 200)
    assert api.get("/health/ready").json()["status"] == "ready"


def test_a_postgres_that_was_restarted_between_two_requests_costs_none_of_them(
    user: httpx.Client, postgres_server: PostgresServer
) -> None:
    path = f"/conversations/{user.post('/conversations', json={'title': 'x'}).json()['id']}"
    with away(postgres_server):
        pass
    assert user.get(path).status_code == 200


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL"])
def test_the_process_starts_without_its_stores(environment: dict[str, str], name: str) -> None:
    nowhere = {"DATABASE_URL": "postgresql://app:pw@127.0.0.1:1/app", "REDIS_URL": "redis://127.0.0.1:1/0"}
    with serving({**environment, name: nowhere[name]}) as (api, _process):
        expected = {"DATABASE_URL": (503, "unavailable"), "REDIS_URL": (200, "degraded")}[name]
        health = api.get("/health/ready")
        assert (health.status_code, health.json()["status"]) == expected
