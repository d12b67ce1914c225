"""Parts die while people use the application: what is promised degrades, nothing accepted is lost, it comes back."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.cluster import Json, KubectlError, wait_for
from tests.support.cluster_chat import Answer, Chat
from tests.support.cluster_kill import kill_by_kernel, kill_pod, wait_ready, wait_replaced
from tests.support.cluster_load import Load, load
from tests.support.cluster_stack import LiveStack

SERVED_SECONDS = 60
API_PORT = 8000
BROKEN = "websocket closed 1006"
GOES_ON_SECONDS = 3
"""How long the load lasts before a part dies and after it is back."""
PEOPLE = {"users": 20, "writers": 10, "websockets": 20, "think_seconds": 0.5, "write_seconds": 2}
NOT_REACHED = {"reset", "disconnected", "cut off", "refused", "no connection", "closed when it was used"}
"""How requests fail that a dead pod was serving, or was given before the cluster knew of its death."""


def _health(chat: Chat, status: int, word: str) -> Answer:
    def as_wanted() -> Answer | None:
        answer = chat.call("/health/ready")
        return answer if answer.status == status and answer.body["status"] == word else None

    return wait_for(f"/health/ready to be {status} {word}", as_wanted, seconds=SERVED_SECONDS, every=0.1)


def _nothing_accepted_is_lost(seen: Load) -> None:
    """What was answered with 2xx is there, was answered once, and every WebSocket has heard it."""
    messages = seen.report["messages"]
    assert messages["accepted"] > 0
    wrong = {name: messages[name] for name in ("lost", "doubled", "unanswered", "answered_twice")}
    assert (wrong, seen.report["websockets"]["missed"]) == (dict.fromkeys(wrong, 0), 0)


def test_without_redis_requests_are_served_and_readiness_is_degraded(
    held: LiveStack, anybody: Chat, doors: dict[str, str], figures: list[str], tmp_path: Path
) -> None:
    before = held.restarts()
    with load(tmp_path, doors["api"], **PEOPLE) as seen:
        time.sleep(GOES_ON_SECONDS)
        killed = kill_pod(held, "redis-cache")
        degraded = _health(anybody, 200, "degraded")
        wait_replaced(held, "redis-cache", killed)
        _health(anybody, 200, "ready")
        time.sleep(GOES_ON_SECONDS)
    figures.append(f"redis killed: {seen.summary}")

    assert (degraded.body["postgres"], degraded.body["redis"]) == (True, False)
    assert seen.failures == []
    assert seen.report["errors"] == []
    _nothing_accepted_is_lost(seen)
    assert _restarted(held, before) == set()


def test_without_postgresql_the_api_lives_says_503_and_loses_nothing(
    held: LiveStack, anybody: Chat, doors: dict[str, str], figures: list[str], tmp_path: Path
) -> None:
    before = held.restarts()
    with load(tmp_path, doors["api"], **PEOPLE) as seen:
        time.sleep(GOES_ON_SECONDS)
        # Without a checkpoint: what was committed is only in the write-ahead log.
        with contextlib.suppress(KubectlError):  # the shell may be gone with its container before it answers
            held.cluster.inside(held.pod("postgres"), "sh", "-c", "kill -QUIT 1")
        killed = kill_pod(held, "postgres")
        live = wait_for("a 503", lambda: _alive_without_database(anybody), seconds=SERVED_SECONDS, every=0.1)
        wait_replaced(held, "postgres", killed)
        for part in ("api", "worker"):
            held.wait_settled(part, at_most=len(held.pods(part)))
        back = datetime.now(UTC).isoformat(timespec="milliseconds")
        time.sleep(GOES_ON_SECONDS)
    figures.append(f"postgres killed: {seen.summary}")

    assert live == {"status": "alive"}
    assert seen.kinds == {"status 503"}
    assert [failure for failure in seen.failures if failure["at"] > back] == []
    assert seen.report["websockets"]["errors"] == 0
    _nothing_accepted_is_lost(seen)
    assert _restarted(held, before) == set()


def _alive_without_database(anybody: Chat) -> object:
    """What the liveness check says at a moment at which the readiness check says 503; else nothing."""
    ready, live = anybody.call("/health/ready"), anybody.call("/health/live")
    return live.body if ready.status == 503 else None


def _restarted(stack: LiveStack, before: dict[str, int]) -> set[str]:
    """The pods that are still the same, and whose containers are not."""
    now = stack.restarts()
    return {pod for pod in now.keys() & before.keys() if now[pod] != before[pod]}


def test_a_killed_worker_leaves_no_job_undone_and_none_done_twice(
    held: LiveStack, doors: dict[str, str], figures: list[str], tmp_path: Path
) -> None:
    worker = held.pod("worker")
    with load(tmp_path, doors["api"], **{**PEOPLE, "writers": 20, "settle_seconds": 120}) as seen:
        time.sleep(GOES_ON_SECONDS)
        kill_by_kernel(held, worker)
        wait_ready(held, worker)
    figures.append(f"worker killed: {seen.summary}")

    assert seen.failures == []
    assert seen.report["errors"] == []
    _nothing_accepted_is_lost(seen)
    # It was doing jobs when it died; somebody began them again.
    assert int(held.sql("SELECT count(*) FROM jobs WHERE attempts > 1")) > 0
    assert held.sql("SELECT count(*) FROM jobs WHERE state <> 'done'") == "0"


def test_a_killed_api_pod_fails_only_what_it_was_serving_and_a_second_try_succeeds(
    held: LiveStack, doors: dict[str, str], figures: list[str], tmp_path: Path
) -> None:
    victim, *others = (pod["metadata"]["name"] for pod in held.pods("api"))
    restarts = held.restarts()
    with load(tmp_path, doors["api"], **PEOPLE, rate=60, retries=8) as seen:
        time.sleep(GOES_ON_SECONDS)
        open_to_it = held.connections(victim, API_PORT)
        kill_by_kernel(held, victim)
        wait_ready(held, victim)
        back = datetime.now(UTC).isoformat(timespec="milliseconds")
        time.sleep(GOES_ON_SECONDS)
    figures.append(f"API pod killed: {seen.summary}")
    assert others != []
    assert seen.report["failed_requests"] == 0
    # No living pod refused anything, and of the connections that lasted only those to the killed one broke.
    assert seen.kinds <= NOT_REACHED
    assert 0 < len(_broken(seen)) <= open_to_it
    assert [failure for failure in seen.failures if failure["at"] > back] == []
    assert _restarted(held, restarts) == {victim}
    _nothing_accepted_is_lost(seen)


def _broken(seen: Load) -> list[Json]:
    """The failures of connections that had been open for a while: kept ones at the first try, and WebSockets."""
    return [
        failure
        for failure in seen.failures
        if failure["kind"] == BROKEN or (failure["connection"] == "kept" and failure["attempt"] == 0)
    ]


@pytest.mark.usefixtures("held")
def test_after_all_that_the_service_is_ready_and_answers(anybody: Chat) -> None:
    _health(anybody, 200, "ready")
    somebody = anybody.registered()
    conversation = somebody.conversation("After it")

    assert somebody.answer_to(conversation, somebody.write(conversation, "Still there?"))["text"]
