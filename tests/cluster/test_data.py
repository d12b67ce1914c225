"""Conversations stand in PostgreSQL and are read through Redis, over TLS, with no right that is not needed."""

from __future__ import annotations

import pytest

from tests.support.cluster import Json, wait_for
from tests.support.cluster_chat import Answer, Chat
from tests.support.cluster_pods import run_script
from tests.support.cluster_stack import APPLICATION, LiveStack

CACHED_SECONDS = 20
ADMINISTRATION = 6
"""What `inside/ask_postgres.py` tries that only an administrator may."""


@pytest.fixture(scope="module")
def postgres(stack: LiveStack) -> Json:
    """What PostgreSQL says to the service's own URL. Asked from the worker: the API's CPU decides about its pods."""
    return run_script(stack.cluster, stack.pod("worker"), "ask_postgres")


@pytest.fixture(scope="module")
def redis(stack: LiveStack, chat: Chat) -> Json:
    """What Redis says to the service's own URL, while a list is cached. Asked from the worker, too."""
    number = chat.conversation("Kept in Redis")
    _cached(chat)
    owner = stack.sql("SELECT owner FROM conversations WHERE id = :'number'", number=number)
    return run_script(stack.cluster, stack.pod("worker"), "ask_redis", f"slipway:conversations:{owner}")


def _cached(chat: Chat) -> Answer:
    """Read the list until the cache has it."""

    def hit() -> Answer | None:
        answer = chat.call("/conversations")
        return answer if answer.cache == "hit" else None

    return wait_for("the list in the cache", hit, seconds=CACHED_SECONDS)


def _titles(answer: Answer) -> list[str]:
    return [conversation["title"] for conversation in answer.body["conversations"]]


def test_a_conversation_is_written_to_postgresql_and_its_list_read_through_redis(
    stack: LiveStack, anybody: Chat
) -> None:
    somebody = anybody.registered()
    number = somebody.conversation("Kept in PostgreSQL")
    first = somebody.call("/conversations")
    second = _cached(somebody)

    assert stack.sql("SELECT title FROM conversations WHERE id = :'number'", number=number) == (
        "Kept in PostgreSQL"
    )
    assert (first.status, first.cache, second.status) == (200, "miss", 200)
    assert _titles(first) == _titles(second) == ["Kept in PostgreSQL"]


def test_a_write_is_seen_at_once_whatever_was_cached(anybody: Chat) -> None:
    somebody = anybody.registered()
    somebody.conversation("First")
    _cached(somebody)
    somebody.conversation("Second")

    assert _titles(somebody.call("/conversations")) == ["Second", "First"]


def test_somebody_elses_conversation_is_not_there(anybody: Chat, chat: Chat) -> None:
    number = chat.conversation("Mine")

    assert chat.call(f"/conversations/{number}").status == 200
    assert anybody.registered().call(f"/conversations/{number}").status == 404
    assert anybody.call(f"/conversations/{number}").status == 401


def test_what_the_cache_says_is_read_from_redis(redis: Json) -> None:
    assert redis["key exists"]


def test_the_service_is_connected_to_postgresql_by_tls(stack: LiveStack, postgres: Json) -> None:
    open_now = stack.sql(
        "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = :'role'",
        role=APPLICATION,
    )

    assert postgres["connection"]["ssl"] is True
    assert postgres["connection"]["version"] in ("TLSv1.2", "TLSv1.3")
    assert open_now == "t"


def test_postgresql_refuses_a_connection_without_tls(postgres: Json) -> None:
    assert "no encryption" in postgres["without TLS"]
    assert postgres["as itself"] == ""


def test_the_service_refuses_a_postgresql_with_another_name(postgres: Json) -> None:
    assert "does not match host name" in postgres["under another name"]


def test_the_application_role_owns_its_database_and_nothing_more(postgres: Json) -> None:
    assert postgres["role"] == {
        "rolname": APPLICATION,
        "owner": APPLICATION,
        "rolsuper": False,
        "rolcreaterole": False,
        "rolcreatedb": False,
        "rolreplication": False,
        "rolbypassrls": False,
    }


def test_postgresql_refuses_what_only_an_administrator_may(postgres: Json) -> None:
    refusals = postgres["refusals"]

    assert len(refusals) == ADMINISTRATION
    assert [what for what, said in refusals.items() if "permission denied" not in said] == []


def test_redis_answers_nothing_without_tls(redis: Json) -> None:
    assert redis["scheme"] == "rediss"
    assert "PONG" not in redis["PING without TLS"]
    assert "NOAUTH" not in redis["PING without TLS"]
    # The same line over TLS is understood, and refused for want of a user.
    assert "NOAUTH" in redis["PING with TLS, no user"]


def test_redis_has_no_default_user(redis: Json) -> None:
    assert "WRONGPASS" in redis["default user"]


def test_redis_refuses_what_only_an_administrator_may(redis: Json) -> None:
    refusals = redis["refusals"]

    assert {"CONFIG GET *", "FLUSHALL"} <= refusals.keys()
    assert [command for command, said in refusals.items() if "no permissions" not in said] == []
