import dataclasses
from urllib.parse import unquote, urlsplit

import pulumi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.postgres.connection import PostgresConnection
from components.redis.connection import RedisConnection
from components.shared.pods import Trust
from tests.support.mocks import values

PASSWORD = "p@ss:/?#[]%&= ü"


def postgres(password: str = PASSWORD, trust: bool = True) -> PostgresConnection:
    return PostgresConnection(
        host="db.example.com",
        port=6432,
        database="shop",
        user="owner",
        password=pulumi.Output.secret(password),
        trust=Trust("postgres", "postgres-ca-1234567890") if trust else None,
    )


def redis(password: str = PASSWORD, trust: bool = True) -> RedisConnection:
    return RedisConnection(
        host="r.example.com",
        port=6380,
        user="app",
        password=pulumi.Output.secret(password),
        trust=Trust("redis-cache", "redis-cache-ca-1234567890") if trust else None,
    )


def test_a_database_url_quotes_what_it_carries_and_verifies_the_server() -> None:
    found = values(lambda: {"url": postgres().url()})
    assert found["url"] == (
        "postgresql://owner:p%40ss%3A%2F%3F%23%5B%5D%25%26%3D%20%C3%BC@db.example.com:6432/shop"
        "?sslmode=verify-full&sslrootcert=/etc/slipway/tls/postgres/ca.crt"
    )


def test_a_redis_url_is_always_tls() -> None:
    found = values(lambda: {"url": redis().url()})
    assert found["url"] == (
        "rediss://app:p%40ss%3A%2F%3F%23%5B%5D%25%26%3D%20%C3%BC@r.example.com:6380/0"
        "?ssl_ca_certs=/etc/slipway/tls/redis-cache/ca.crt"
    )


def test_without_an_authority_of_its_own_the_systems_trust_is_named() -> None:
    found = values(lambda: {"db": postgres(trust=False).url(), "redis": redis(trust=False).url()})
    assert found["db"].endswith("/shop?sslmode=verify-full&sslrootcert=system")
    assert found["redis"].endswith(":6380/0")


def test_a_url_is_a_secret_even_where_the_password_was_not_marked() -> None:
    def program() -> dict[str, pulumi.Output[str]]:
        plain = pulumi.Output.from_input("x")
        one, other = postgres(), redis()
        return {
            "db": dataclasses.replace(one, password=plain).url(),
            "redis": dataclasses.replace(other, password=plain).url(),
        }

    found = values(program)
    assert found["secret:db"] is True
    assert found["secret:redis"] is True


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20))
@settings(max_examples=15)
def test_every_password_survives_the_way_through_a_url(password: str) -> None:
    found = values(lambda: {"db": postgres(password).url(), "redis": redis(password).url()})
    for name, host, port in (("db", "db.example.com", 6432), ("redis", "r.example.com", 6380)):
        parts = urlsplit(found[name])
        assert unquote(parts.password or "") == password
        assert (parts.hostname, parts.port) == (host, port)


@pytest.mark.parametrize("trust", [True, False])
def test_a_service_may_be_told_each_part_on_its_own(trust: bool) -> None:
    def program() -> dict[str, pulumi.Input[str]]:
        db, cache = postgres(trust=trust), redis(trust=trust)
        names = ("url", "host", "port", "user", "password", "caFile")
        found: dict[str, pulumi.Input[str]] = {f"db.{name}": db.field(name) for name in (*names, "name")}
        found |= {f"redis.{name}": cache.field(name) for name in names}
        return {**found, "db.endpoint": db.endpoint, "redis.endpoint": cache.endpoint}

    found = values(program)
    ca = "/etc/slipway/tls/{}/ca.crt" if trust else ""
    assert found["db.url"].startswith("postgresql://owner:")
    assert found["redis.url"].startswith("rediss://app:")
    assert {
        key: found[key] for key in found if not key.startswith("secret:") and not key.endswith(".url")
    } == {
        "db.host": "db.example.com",
        "db.port": "6432",
        "db.name": "shop",
        "db.user": "owner",
        "db.password": PASSWORD,
        "db.caFile": ca.format("postgres"),
        "db.endpoint": "db.example.com:6432",
        "redis.host": "r.example.com",
        "redis.port": "6380",
        "redis.user": "app",
        "redis.password": PASSWORD,
        "redis.caFile": ca.format("redis-cache"),
        "redis.endpoint": "r.example.com:6380",
    }
    assert found["secret:db.password"]
    assert not found["secret:db.host"]
