"""The service keeps notes in PostgreSQL and reads them through Redis, over TLS, with no right that it does not need."""

from __future__ import annotations

import pytest

from tests.support.cluster import Json, wait_for
from tests.support.cluster_pods import Answer, IdlePod, run_script
from tests.support.cluster_stack import APPLICATION, LiveStack

CACHED_SECONDS = 20
COUNTED_SECONDS = 30


@pytest.fixture(scope="module")
def note(client: IdlePod) -> Answer:
    """A note that was written through the API."""
    return client.call("/notes", method="POST", body={"text": "three small words"})


@pytest.fixture(scope="module")
def postgres(stack: LiveStack) -> Json:
    """What PostgreSQL says to the service's own URL. Asked from the worker: the API's CPU decides about its pods."""
    return run_script(stack.cluster, stack.pod("worker"), "ask_postgres")


@pytest.fixture(scope="module")
def redis(stack: LiveStack, client: IdlePod, note: Answer) -> Json:
    """What Redis says to the service's own URL, while the note is cached. Asked from the worker, too."""
    _cached(client, note.body["id"])
    return run_script(stack.cluster, stack.pod("worker"), "ask_redis", f"note:{note.body['id']}")


def _cached(client: IdlePod, number: int) -> Answer:
    """Read a note until the cache has it. The worker drops the cached copy once, when it has counted its words."""

    def hit() -> Answer | None:
        answer = client.call(f"/notes/{number}")
        return answer if answer.cache == "hit" else None

    return wait_for(f"note {number} in the cache", hit, seconds=CACHED_SECONDS)


def test_a_note_is_written_to_postgresql_and_read_back_through_redis(
    stack: LiveStack, client: IdlePod
) -> None:
    created = client.call("/notes", method="POST", body={"text": "kept in PostgreSQL"})
    number = created.body["id"]
    first = client.call(f"/notes/{number}")
    second = _cached(client, number)

    assert (created.status, first.status, second.status) == (201, 200, 200)
    assert stack.sql("SELECT text FROM notes WHERE id = :'number'", number=number) == "kept in PostgreSQL"
    assert first.cache == "miss"
    assert first.body["text"] == second.body["text"] == "kept in PostgreSQL"


def test_what_the_cache_says_is_read_from_redis(redis: Json) -> None:
    assert redis["key exists"]


def test_the_worker_gets_the_note_through_the_queue(client: IdlePod, note: Answer) -> None:
    words = wait_for(
        "the count of words",
        lambda: client.call(f"/notes/{note.body['id']}").body["words"],
        seconds=COUNTED_SECONDS,
    )

    assert words == 3


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

    assert len(refusals) == 6
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
