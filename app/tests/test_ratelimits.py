"""Rate limits: over all processes, for addresses and users, and passed over while Redis is away."""

from collections.abc import Iterator

import httpx
import pytest

from slipway_app.ratelimits import _network  # pyright: ignore[reportPrivateUsage]
from tests.conftest import RedisServer, serving, sign_up

PER_MINUTE = 30
PER_HOUR = 8


@pytest.fixture(scope="module")
def limited(environment: dict[str, str]) -> Iterator[httpx.Client]:
    told = {
        **environment,
        "RATE_LIMIT_PER_MINUTE": str(PER_MINUTE),
        "RATE_LIMIT_PER_HOUR": str(PER_HOUR),
        "WEB_CONCURRENCY": "2",
        # The tests are a proxy that says for whom it asks.
        "FORWARDED_ALLOW_IPS": "127.0.0.1",
    }
    with serving(told) as (client, _process):
        yield client


def from_address(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


def test_an_address_is_refused_above_its_limit_and_another_is_not(limited: httpx.Client) -> None:
    mine = from_address("192.0.2.1")
    answers = [limited.get("/nothing", headers=mine) for _ in range(PER_MINUTE + 1)]
    assert [answer.status_code for answer in answers] == [404] * PER_MINUTE + [429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert "too many requests" in answers[-1].json()["detail"]
    assert limited.get("/nothing", headers=from_address("192.0.2.2")).status_code == 404
    refused = 'rate_limited_total{kind="address"} 1.0'
    assert refused in limited.get("/metrics").text


def test_health_checks_and_figures_are_never_refused(limited: httpx.Client) -> None:
    mine = from_address("192.0.2.3")
    for path in ["/health/live", "/health/ready", "/metrics"]:
        assert {limited.get(path, headers=mine).status_code for _ in range(PER_MINUTE + 1)} == {200}


def test_a_user_is_refused_above_their_limit_from_whatever_address(limited: httpx.Client) -> None:
    with sign_up(limited) as user, sign_up(limited) as other:
        answers = [
            user.get("/conversations", headers=from_address(f"198.51.100.{number}"))
            for number in range(PER_HOUR + 1)
        ]
        assert [answer.status_code for answer in answers] == [200] * PER_HOUR + [429]
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 3600
        assert other.get("/conversations", headers=from_address("198.51.100.1")).status_code == 200


def test_a_websocket_counts_as_a_request(limited: httpx.Client) -> None:
    mine = from_address("192.0.2.4")
    handshake = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }  # fmt: skip
    for _ in range(PER_MINUTE):
        limited.get("/nothing", headers=mine)
    assert limited.get("/conversations/1/live", headers={**mine, **handshake}).status_code == 429


def test_nobody_is_refused_while_redis_is_away(limited: httpx.Client, redis_server: RedisServer) -> None:
    redis_server.stop()
    try:
        mine = from_address("192.0.2.5")
        assert {limited.get("/nothing", headers=mine).status_code for _ in range(2 * PER_MINUTE)} == {404}
    finally:
        redis_server.start()


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("not an address", "unknown"),
    ],
)
def test_an_ipv6_network_counts_as_one_address(address: str, counted_as: str) -> None:
    assert _network(address) == counted_as
