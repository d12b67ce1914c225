"""A store is killed: it comes back with what it had, and the service by itself, without a restart."""

from __future__ import annotations

import contextlib

from tests.support.cluster import KubectlError, wait_for
from tests.support.cluster_pods import Answer, IdlePod
from tests.support.cluster_stack import LiveStack

BACK_SECONDS = 90
SERVED_SECONDS = 60


def _kill(stack: LiveStack, part: str) -> str:
    """Kill a part's pod with a second's notice; return the identity (UID) of the killed one.

    Not by `--force`: that lets a second server start on the same volume before the first one is dead.
    """
    (killed,) = stack.pods(part)
    stack.cluster.run("delete", "pod", killed["metadata"]["name"], "--now", "--wait=false")
    return str(killed["metadata"]["uid"])


def _back(stack: LiveStack, part: str, killed: str) -> None:
    """Wait for another pod of a part that is ready."""
    wait_for(
        f"another pod of {part}",
        lambda: [uid for uid in stack.ready_pods(part) if uid != killed],
        seconds=BACK_SECONDS,
    )


def _health(client: IdlePod, status: int, word: str, seconds: float) -> Answer:
    def as_wanted() -> Answer | None:
        answer = client.call("/health/ready")
        return (
            answer
            if (answer.status, answer.body["status"] if answer.status else "") == (status, word)
            else None
        )

    return wait_for(f"/health/ready to be {status} {word}", as_wanted, seconds=seconds, every=0.1)


def test_a_killed_postgresql_comes_back_with_its_rows_and_the_api_serves_again(
    stack: LiveStack, client: IdlePod
) -> None:
    number = client.call("/notes", method="POST", body={"text": "outlives its server"}).body["id"]
    everything = "SELECT md5(string_agg(notes::text, '\n' ORDER BY id)), count(*) FROM notes"
    # The worker has counted them all: nobody changes them any more.
    wait_for(
        "the worker", lambda: stack.sql("SELECT count(*) FROM notes WHERE words IS NULL") == "0", seconds=30
    )
    before = stack.sql(everything)
    # Without a checkpoint: what was committed is only in the write-ahead log.
    with contextlib.suppress(KubectlError):  # the shell may be gone with its container before it has answered
        stack.cluster.inside(stack.pod("postgres"), "sh", "-c", "kill -QUIT 1")
    killed = _kill(stack, "postgres")
    _back(stack, "postgres", killed)

    assert stack.sql(everything) == before
    _health(client, 200, "ready", SERVED_SECONDS)
    assert client.call(f"/notes/{number}").body["text"] == "outlives its server"
    assert client.call("/notes", method="POST", body={"text": "after it"}).status == 201


def test_without_redis_the_service_is_degraded_and_recovers_by_itself(
    stack: LiveStack, client: IdlePod
) -> None:
    number = client.call("/notes", method="POST", body={"text": "read without a cache"}).body["id"]
    killed = _kill(stack, "redis-cache")

    degraded = _health(client, 200, "degraded", SERVED_SECONDS)
    read = client.call(f"/notes/{number}")
    _back(stack, "redis-cache", killed)

    assert degraded.body == {"status": "degraded", "postgres": True, "redis": False}
    assert (read.status, read.body["text"]) == (200, "read without a cache")
    _health(client, 200, "ready", SERVED_SECONDS)


def test_losing_a_store_restarted_nobody(stack: LiveStack) -> None:
    assert {stack.restarts()[stack.pod(part)] for part in ("api", "worker")} == {0}
